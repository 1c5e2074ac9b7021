#!/usr/bin/env bash
# Installs the programs that tests talk to, where they are missing. Debian and Ubuntu only; on
# other systems it names them and the tests that need them are skipped. With "window" it installs
# only what hawser-window is compiled with, and fails where it cannot.
set -eu

missing=()
need() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "/usr/lib/dovecot/$1" ] || missing+=("$2"); }
# The window is drawn with OpenGL, through C.
need gcc                 gcc
need pkg-config          pkg-config
header() { pkg-config --exists "$1" 2>/dev/null || missing+=("$2"); }
header gl                libgl-dev
header xcursor           libxcursor-dev
header xrandr            libxrandr-dev
header xinerama          libxinerama-dev
header xi                libxi-dev
header xxf86vm           libxxf86vm-dev
[ -e /usr/include/stdlib.h ] || missing+=(libc6-dev)
if [ "${1:-}" != window ]; then
# The window draws Japanese with a font of the system, whichever has the letters.
[ -n "$(find /usr/share/fonts /usr/local/share/fonts \( -iname 'ipag*' -o -iname '*cjk*' -o -iname 'vl-gothic*' \) 2>/dev/null | head -n 1)" ] || missing+=(fonts-ipafont-gothic)
need openbox             openbox
need xdotool             xdotool
need import              imagemagick
ls /usr/lib/*/dri/swrast_dri.so >/dev/null 2>&1 || missing+=(libgl1-mesa-dri)
need dovecot             dovecot-core
need imap                dovecot-imapd
need mbsync              isync
need gnome-keyring-daemon gnome-keyring
need dbus-run-session    dbus
need dunst               dunst
need Xvfb                xvfb
need desktop-file-validate desktop-file-utils
need gio                 libglib2.0-bin
need dex                 dex
need ip                  iproute2
need chromium            chromium
need npm                 npm
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing+=(postgresql)
fi
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null; then
  if [ "${1:-}" = window ]; then
    echo "hawser-window is compiled with these, which are not here: ${missing[*]}"
    exit 1
  fi
  echo "tests use these programs, which are not here: ${missing[*]}"
  exit 0
fi
echo "installing: ${missing[*]}"
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
# Debian starts a server when it is installed; the tests start their own.
export DEBIAN_FRONTEND=noninteractive
as_root apt-get update -qq
as_root env RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null

#!/usr/bin/env bash
# Installs the programs that tests talk to, where they are missing. Debian and Ubuntu only; on
# other systems it names them and the tests that need them are skipped.
set -eu

missing=()
need() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "/usr/lib/dovecot/$1" ] || missing+=("$2"); }
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
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null; then
  echo "tests use these programs, which are not here: ${missing[*]}"
  exit 0
fi
echo "installing for the tests: ${missing[*]}"
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
# Debian starts a server when it is installed; the tests start their own.
export DEBIAN_FRONTEND=noninteractive
as_root apt-get update -qq
as_root env RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null

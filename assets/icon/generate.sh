#!/bin/sh
# Renders the .png and .ico files from the .svg drawings. Needs rsvg-convert (Debian: librsvg2-bin)
# and Go; run it after changing a drawing and commit what it makes.
set -eu
cd "$(dirname "$0")"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
for svg in *.svg; do
	name=${svg%.svg}
	rsvg-convert -w 48 -h 48 "$svg" -o "$name.png" # what a panel scales down from
	set --
	for size in 16 20 24 32 48; do # Windows at 100, 125, 150, 200 and 300 per cent
		rsvg-convert -w $size -h $size "$svg" -o "$tmp/$size.png"
		set -- "$@" "$tmp/$size.png"
	done
	go run pack.go "$name.ico" "$@"
done
rsvg-convert -w 256 -h 256 hawser.svg -o hawser-256.png # for launchers and packages

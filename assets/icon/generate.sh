#!/bin/sh
# Renders the .png and .ico files from the .svg drawings. Needs rsvg-convert (Debian: librsvg2-bin)
# and Go; run it after changing a drawing and commit what it makes.
#
# hawser.svg is the program's own icon. tray/<state>.svg are those of the panel, as drawn for light
# panels; a style sheet turns them into those for dark ones and for systems that colour them.
set -eu
cd "$(dirname "$0")"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# ico DRAWING OUT SIZE... packs a drawing in several sizes.
ico() {
	drawing=$1 out=$2
	shift 2
	for size; do
		rsvg-convert -w "$size" -h "$size" $style "$drawing" -o "$tmp/$size.png"
		set -- "$@" "$tmp/$size.png"
		shift
	done
	go run pack.go "$out" "$@"
}

style=
for size in 16 24 32 48 64 128 256 512; do # for launchers, windows and packages
	rsvg-convert -w $size -h $size hawser.svg -o hawser-$size.png
done
ico hawser.svg hawser.ico 16 20 24 32 48 256

for svg in tray/*.svg; do
	for variant in light dark template; do
		style="--stylesheet tray/$variant.css"
		[ $variant = light ] && style=
		rsvg-convert -w 48 -h 48 $style "$svg" -o "${svg%.svg}-$variant.png" # what a panel scales down from
		[ $variant = template ] || ico "$svg" "${svg%.svg}-$variant.ico" 16 20 24 32 48 # Windows at 100 to 300 per cent
	done
done

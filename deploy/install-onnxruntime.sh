#!/bin/sh
# Takes libonnxruntime.so out of the onnxruntime wheel on PyPI and puts it where Warmline can be told to find it.
#
#   deploy/install-onnxruntime.sh [DIRECTORY]      default: /usr/local/lib/warmline
#
# Needs python3 with pip and unzip. Nothing of the wheel is run; pip checks its sha256 against the index.
set -eu
version="${ONNXRUNTIME_VERSION:->=1.24}"
target="${1:-/usr/local/lib/warmline}"
case "$version" in [0-9]*) version="==$version" ;; esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m pip download --quiet --no-deps --only-binary=:all: --dest "$work" "onnxruntime$version"
unzip -q -o "$work"/onnxruntime-*.whl 'onnxruntime/capi/libonnxruntime.so*' -d "$work"
library=$(find "$work/onnxruntime/capi" -name 'libonnxruntime.so.*' | head -n 1)
[ -n "$library" ] || { echo "the wheel holds no libonnxruntime.so" >&2; exit 1; }

mkdir -p "$target"
name=$(basename "$library")
# Beside the old one, then in its place: a gateway that has it open goes on with what it has.
install -m 0644 "$library" "$target/.$name.new"
mv "$target/.$name.new" "$target/$name"
ln -sfn "$name" "$target/libonnxruntime.so"
echo "installed $target/$name"
echo "set in warmline.toml:"
echo "  [model]"
echo "  onnxruntime = \"$target/libonnxruntime.so\""

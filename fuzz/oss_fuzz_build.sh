#!/usr/bin/env bash
# Builds the fuzz targets as OSS-Fuzz wants them: compiled by $CXX with $CXXFLAGS, fed by $LIB_FUZZING_ENGINE,
# and everything that runs in $OUT: a program, a corpus and options for each target, the embedded model and the
# shared libraries, which lie beside the programs because the machine that runs them has none of its own.
# Try it with: CC=clang CXX=clang++ CFLAGS= CXXFLAGS='-O1 -fsanitize=address,fuzzer-no-link'
# LIB_FUZZING_ENGINE=-fsanitize=fuzzer OUT=$PWD/build/oss fuzz/oss_fuzz_build.sh
set -euo pipefail
root=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
: "${CC:?}" "${CXX:?}" "${CFLAGS?}" "${CXXFLAGS?}" "${LIB_FUZZING_ENGINE:?}" "${OUT:?}"
work=${WORK:-$root/build}/oss_fuzz

cmake -S "$root" -B "$work" -G Ninja -DCMAKE_BUILD_TYPE=None \
  -DCMAKE_C_COMPILER="$CC" -DCMAKE_CXX_COMPILER="$CXX" -DCMAKE_C_FLAGS="$CFLAGS" -DCMAKE_CXX_FLAGS="$CXXFLAGS" \
  -DUNMASK_TESTS=OFF -DUNMASK_BENCHMARKS=OFF -DUNMASK_CUDA=OFF -DUNMASK_PYTHON=OFF -DUNMASK_FUZZ=ON \
  -DUNMASK_FUZZ_ENGINE="$LIB_FUZZING_ENGINE" -DUNMASK_FUZZ_DEMO="$OUT/demo" \
  -DCMAKE_EXE_LINKER_FLAGS="-Wl,--disable-new-dtags,-rpath,'\$ORIGIN/lib'" \
  -DCMAKE_BUILD_WITH_INSTALL_RPATH=ON
cmake --build "$work" --target fuzz_targets

mkdir -p "$OUT/lib" "$OUT/demo"
cp "$root"/models/demo/*.json "$root"/models/demo/model.safetensors "$OUT/demo"
ldd "$work/fuzz_targets" | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' |
  grep -vE '/(libc|libm|libdl|librt|libpthread|ld-linux[^/]*)\.so' | xargs -r cp -Lt "$OUT/lib"
for corpus in "$root"/fuzz/corpus/*/; do
  target=$(basename "$corpus")
  cp "$work/fuzz_targets" "$OUT/$target"
  printf '[libfuzzer]\nmax_len = 16384\ntimeout = 20\nrss_limit_mb = 2048\n' >"$OUT/$target.options"
  (cd "$corpus" && python3 -m zipfile -c "$OUT/${target}_seed_corpus.zip" ./*)
done

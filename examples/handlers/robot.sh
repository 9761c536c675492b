# What the robots of chats share, beside lib.sh: sourced, not run.
# shellcheck shell=sh disable=SC2046,SC2086,SC2154  # lists of numbers are what is meant; post() sets answer and status

# taken_by_robot: ends the handler as the HTTP status and the error code in the answer say.
taken_by_robot() {
  verdict=$(printf '%s' "$answer" | jq -r '(.errcode // .code) as $code | (.errmsg // .msg // "") as $why |
    if $code == null then "none" elif $code == 0 then "taken"
    elif $code == -1 or ($why | test("too (many|fast)|freq"; "i")) then "busy" else "refused" end' 2>/dev/null)
  case ${verdict:-none}$status in
  taken2??) exit 0 ;;
  refused* | none4??) refused "$(said)" ;;
  *) later "$(said)" ;;
  esac
}

# hmac_sha256 KEY TEXT: the base64 of HMAC-SHA256 (RFC 2104), or false. openssl would need the key on its command
# line, where `ps` shows it; here it stays in the shell, whose printf is no process.
hmac_bytes() { printf '%b' "$(printf '\\0%03o' "$@")"; }
hmac_sum() { sha256sum | cut -c 1-64 | sed 's/../0x& /g'; }

hmac_sha256() {
  hmac_text=$2
  set -- $(printf '%s' "$1" | od -An -v -tu1)
  [ $# -le 64 ] || set -- $(hmac_bytes "$@" | hmac_sum)
  while [ $# -lt 64 ]; do set -- "$@" 0; done
  hmac_inner='' hmac_outer=''
  for hmac_byte; do
    hmac_inner="$hmac_inner $((hmac_byte ^ 0x36))" hmac_outer="$hmac_outer $((hmac_byte ^ 0x5c))"
  done
  set -- $({ hmac_bytes $hmac_inner; printf '%s' "$hmac_text"; } | hmac_sum)
  [ $# -eq 32 ] || return 1
  set -- $({ hmac_bytes $hmac_outer; hmac_bytes "$@"; } | hmac_sum)
  [ $# -eq 32 ] || return 1
  hmac_bytes "$@" | base64
}

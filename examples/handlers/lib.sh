# What the handlers share: sourced, not run. See docs/handlers.md and alertspool-command(7).
# shellcheck shell=sh disable=SC2034  # what is set here is read where it is sourced
name=${0##*/}
newline='
'

# later WHY, refused WHY: one line for `alertspool show`, and the exit code that says what becomes of the alert.
later() { printf '%s: %s\n' "$name" "$*"; exit 75; }
refused() { printf '%s: %s\n' "$name" "$*"; exit 65; }

# secret FILE: $secret is the first line of FILE.
secret() {
  [ -r "$1" ] || later "cannot read $1"
  read -r secret <"$1" || [ -n "$secret" ] || later "$1 is empty"
  case $secret in '' | *[!!-~]* | *[\"\\]*) later "the first line of $1 is not a URL or key" ;; esac
}

# message: $message is the alert in words, $title its first line. A value of the sender is one line of at most 200
# characters, whatever it was.
message() {
  message=$(jq -nr '
    def value: (. // "")[:200] | gsub("[[:cntrl:]]+"; " ") | sub(" +$"; "");
    def line(name): value | select(. != "") | name + ": " + .;
    $ENV |
    (.CMS_ALERT_STATE // "") as $state |
    ([{"1": "[drill]"}[.ALERTSPOOL_TEST // ""],
      ({"": "EVENT", OK: "OK after", INSUFFICIENT_DATA: "NO DATA"}[$state] // $state),
      .ALERTSPOOL_SEVERITY, .CMS_ALERT_NAME, .CMS_NAME] | map(value | select(. != "")) | join(" ")),
    (.CMS_INSTANCE_NAME | line("Instance")),
    ([.CMS_METRIC_NAME, .CMS_CUR_VALUE, .CMS_UNIT] | map(value | select(. != "")) | join(" ") | line("Value")),
    (.CMS_EXPRESSION | line("Condition")), (.CMS_DIMENSIONS | line("Object")),
    (.CMS_PRODUCT | line("Product")), (.CMS_RESOURCE_ID | line("Resource")), (.CMS_CONTENT | line("Content")),
    (.ALERTSPOOL_TIME | line("Time")), (.ALERTSPOOL_ID | line("alertspool id"))') || later 'jq failed'
  title=${message%%"$newline"*}
}

# post URL JSON: $status and $answer. No answer, 408, 425, 429 and 5xx end the handler. URL and JSON may be secret: curl
# reads them from descriptors. 20 seconds are less than a command has by default.
post() {
  answer=$(printf '%s' "$2" | curl --silent --show-error --connect-timeout 10 --max-time 20 --request POST \
    --header 'Content-Type: application/json' --data-binary @- --write-out '\n%{http_code}' --config /dev/fd/3 3<<END
url = "$1"
END
  ) || later 'curl failed'
  status=${answer##*"$newline"}
  answer=${answer%"$newline"*}
  case $status in 408 | 425 | 429 | [!24]??) later "$(said)" ;; esac
}

# said: the status and the first 200 characters of the answer, as one line.
said() {
  printf '%s' "$answer" | jq -Rrs --arg status "$status" '"status \($status): " + (.[:200] | gsub("[[:cntrl:]]+"; " "))'
}

# taken: ends the handler as the HTTP status says.
taken() { case $status in 2??) exit 0 ;; *) refused "$(said)" ;; esac }

# bash completion for alertspool(8). Verbs and options come from its own --help, so they are always the program's.

_alertspool() {
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} verb='' each verbs choices
    verbs=$("$1" --help 2>/dev/null | sed -n 's/^  \([a-z]\{1,\}\)  .*/\1/p')
    for each in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        if grep -qxF -e "$each" <<<"$verbs"; then
            verb=$each
            break
        fi
    done
    case $previous in
        --config) choices=$(compgen -f -- "$word") ;;
        --state) choices=$(compgen -W 'pending running delivered failed dropped unmatched undecodable' -- "$word") ;;
        *)
            if [[ $word == -* ]]; then
                each=$("$1" ${verb:+"$verb"} --help 2>/dev/null | sed -n 's/^  \(-h \[ \)\{0,1\}\(--[a-z-]*\).*/\2/p')
                choices=$(compgen -W "$each" -- "$word")
            elif [[ -z $verb ]]; then
                choices=$(compgen -W "$verbs" -- "$word")
            elif [[ $verb == explain || $verb == backup ]]; then
                choices=$(compgen -f -- "$word")
            fi
            ;;
    esac
    mapfile -t COMPREPLY < <(sort -u <<<"${choices:-}" | sed '/^$/d')
}
complete -o filenames -F _alertspool alertspool

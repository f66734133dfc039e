# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Completion of xl-migrate's commands, options, domains and hosts.

# Prints each guest whose name begins with WORD, quoted for the shell, one a
# line. A name is any text of anyone's: it must never reach compgen -W, which
# expands its words. The name ends where five columns from the right begin.
_xl_migrate_domains() { # _xl_migrate_domains WORD
    local columns='^(.*[^ ]) +([0-9]+) +[0-9]+ +[0-9]+'
    local line name quoted
    columns+='[[:space:]]+[-a-z]{6}[[:space:]]+[0-9.]+$'
    while IFS= read -r line; do
        [[ $line =~ $columns && ${BASH_REMATCH[2]} != 0 ]] || continue
        name=${BASH_REMATCH[1]}
        printf -v quoted %q "$name"
        [[ $name == -* ]] && continue
        [[ $name == "$1"* || $quoted == "$1"* ]] && printf '%s\n' "$quoted"
    done < <(xl list 2>/dev/null)
}

# Completes files; readline quotes their names, which are anyone's text too.
_xl_migrate_files() { # _xl_migrate_files WORD
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

# Completes the operands: the domain first, then the host.
_xl_migrate_operand() { # _xl_migrate_operand COMMAND WORD NR-BEFORE
    case $1:$3 in
    inspect:0) _xl_migrate_files "$2" ;;
    send:0 | check:0 | recover:0 | status:0 | cancel:0 | tune:0 | monitor:0)
        mapfile -t COMPREPLY < <(_xl_migrate_domains "$2")
        ;;
    send:1 | check:1)
        mapfile -t COMPREPLY < <(compgen -A hostname -- "$2")
        ;;
    esac
}

_xl_migrate() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local command=${COMP_WORDS[1]} nr_operands=0 i
    local limits='--downtime --bandwidth --timeout --on-slow'
    local -A options=(
        [send]="-s -C -p -e -D --debug --live --stock --dry-run --ignore $limits
            --reconnect-timeout --json --quiet"
        [check]="-s -C -D --ignore --stock --no-probe --probe $limits --json
            --quiet"
        [recover]='-s --stock --target-is-fenced --resume --list --json'
        [status]='--json --watch'
        [cancel]=''
        [tune]=$limits
        [inspect]='--json'
        [monitor]='-F'
    )

    COMPREPLY=()
    if [ "$COMP_CWORD" = 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W \
            "${!options[*]} --help --version" -- "$word")
        return
    fi
    case $before in
    --on-slow)
        mapfile -t COMPREPLY < <(compgen -W \
            'throttle throttle-then-stop stop abort' -- "$word")
        return
        ;;
    -C)
        _xl_migrate_files "$word"
        return
        ;;
    -s | --downtime | --bandwidth | --timeout | --reconnect-timeout | --probe)
        return
        ;;
    esac
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W \
            "${options[$command]-} --help" -- "$word")
        return
    fi
    for ((i = 2; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -s | -C | --downtime | --bandwidth | --timeout | --on-slow | \
            --reconnect-timeout | --probe) i=$((i + 1)) ;;
        -*) ;;
        *) nr_operands=$((nr_operands + 1)) ;;
        esac
    done
    _xl_migrate_operand "$command" "$word" "$nr_operands"
}

complete -F _xl_migrate xl-migrate

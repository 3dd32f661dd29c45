/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scripts only know how their shell wants to be told: what there is they ask of
 * `colony complete` (cli/complete.c).
 */
#include "core/completion.h"

#include <string.h>

/* COMP_WORDS is split at `:` and `=`, which names and options are not: the words are put together
 * again, and of the answers only what readline has not passed yet is given. */
static const char bash_script[] =
    "# bash completion for colony: source <(colony completion bash)\n"
    "_colony()\n"
    "{\n"
    "    local rest=${COMP_LINE:0:COMP_POINT} words=() breaks= passed= quoted= word line "
    "candidate\n"
    "    for word in \"${COMP_WORDS[@]:0:COMP_CWORD+1}\"; do\n"
    "        local is_new=\n"
    "        [[ ${#words[@]} -eq 0 || $rest == [[:blank:]]* ]] && is_new=yes\n"
    "        rest=${rest#\"${rest%%[![:blank:]]*}\"}\n"
    "        [[ $word == \"$rest\"* ]] && word=$rest\n"
    "        rest=${rest#\"$word\"}\n"
    "        if [[ $is_new ]]; then words+=(\"$word\"); else words[${#words[@]}-1]+=$word; fi\n"
    "    done\n"
    "    local current=${words[${#words[@]}-1]}\n"
    "    [[ $current == [\\\"\\']* ]] && quoted=yes\n"
    "    [[ $COMP_WORDBREAKS == *:* ]] && breaks+=:\n"
    "    [[ $COMP_WORDBREAKS == *=* ]] && breaks+==\n"
    "    words=(\"${words[@]/#~\\//$HOME/}\")\n"
    "    words=(\"${words[@]//[\\\"\\'\\\\]/}\")\n"
    "    current=${words[${#words[@]}-1]}\n"
    "    [[ $breaks && ! $quoted ]] && passed=${current%\"${current##*[$breaks]}\"}\n"
    "    COMPREPLY=()\n"
    "    while IFS= read -r line; do\n"
    "        candidate=${line%%$'\\t'*}\n"
    "        if [[ ! $candidate ]]; then\n"
    "            local value=$current option= kind=-f\n"
    "            [[ $current == --*=* ]] && value=${current#*=} option=${current%%=*}=\n"
    "            [[ $line == *folders ]] && kind=-d\n"
    "            compopt -o filenames 2>/dev/null\n"
    "            while IFS= read -r candidate; do\n"
    "                candidate=$option$candidate\n"
    "                COMPREPLY+=(\"${candidate#\"$passed\"}\")\n"
    "            done < <(compgen \"$kind\" -- \"$value\")\n"
    "            continue\n"
    "        fi\n"
    "        [[ $candidate == *[=+-] ]] && compopt -o nospace 2>/dev/null\n"
    "        candidate=${candidate#\"$passed\"}\n"
    "        [[ $quoted ]] || printf -v candidate %q \"$candidate\"\n"
    "        COMPREPLY+=(\"$candidate\")\n"
    "    done < <(command \"${words[@]:0:1}\" complete \"${words[@]:1}\" 2>/dev/null)\n"
    "}\n"
    "complete -F _colony colony\n";

static const char zsh_script[] =
    "#compdef colony\n"
    "# zsh completion for colony: source <(colony completion zsh), after compinit\n"
    "_colony()\n"
    "{\n"
    "    local line name\n"
    "    local -a typed names shown open_names open_shown\n"
    "    typed=(\"${(@Q)words[1,CURRENT]}\")\n"
    "    typed=(\"${(@)typed/#\\~\\//$HOME/}\")\n"
    "    typed[-1]=${typed[-1]#[\\\"\\']}\n"
    "    for line in \"${(@f)$(command \"${(@)typed[1]}\" complete \"${(@)typed[2,-1]}\" "
    "2>/dev/null)}\"; do\n"
    "        name=${line%%$'\\t'*}\n"
    "        if [[ $line == $'\\t'* ]]; then\n"
    "            [[ $PREFIX == --*=* ]] && compset -P '*='\n"
    "            if [[ $line == *folders ]]; then _files -/; else _files; fi\n"
    "        elif [[ $name == *[=+-] ]]; then\n"
    "            open_names+=(\"$name\")\n"
    "            open_shown+=(\"${line/$'\\t'/  }\")\n"
    "        elif [[ -n $name ]]; then\n"
    "            names+=(\"$name\")\n"
    "            shown+=(\"${line/$'\\t'/  }\")\n"
    "        fi\n"
    "    done\n"
    "    (( ${#names} )) && compadd -l -d shown -a names\n"
    "    (( ${#open_names} )) && compadd -S '' -l -d open_shown -a open_names\n"
    "    return 0\n"
    "}\n"
    "if [[ $funcstack[1] == _colony ]]; then _colony \"$@\"; else compdef _colony colony; fi\n";

static const char fish_script[] =
    "# fish completion for colony: colony completion fish | source\n"
    "function __colony_complete\n"
    "    set -l words (commandline -opc)\n"
    "    set -l current (string unescape -- (commandline -ct))\n"
    "    set -l program $words[1]\n"
    "    set -e words[1]\n"
    "    for line in (command $program complete $words \"$current\" 2>/dev/null)\n"
    "        switch $line\n"
    "            case \\t'*'\n"
    "                set -l option (string match -r -- '^--[^=]*=' $current)\n"
    "                set -l value (string replace -r -- '^--[^=]*=' '' $current)\n"
    "                set -l finder __fish_complete_path\n"
    "                string match -q -- '*folders' $line\n"
    "                and set finder __fish_complete_directories\n"
    "                for path in ($finder $value)\n"
    "                    echo -- \"$option$path\"\n"
    "                end\n"
    "            case '*'\n"
    "                echo -- $line\n"
    "        end\n"
    "    end\n"
    "end\n"
    "complete -c colony -f -a '(__colony_complete)'\n";

static const struct {
    const char *name;
    const char *script;
} shells[] = {{"bash", bash_script}, {"fish", fish_script}, {"zsh", zsh_script}};

const char *colony_completion_script(const char *shell)
{
    for (size_t i = 0; i < sizeof shells / sizeof shells[0]; i++)
        if (strcmp(shell, shells[i].name) == 0)
            return shells[i].script;
    return NULL;
}

const char *colony_completion_shell(size_t index)
{
    return index < sizeof shells / sizeof shells[0] ? shells[index].name : NULL;
}

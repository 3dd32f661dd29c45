/* SPDX-License-Identifier: Apache-2.0 */
/* completion.c - `colony completion SHELL` prints what makes a shell complete colony's words. */
#include <stdio.h>

#include "commands.h"
#include "core/completion.h"
#include "core/error.h"
#include "core/template.h"
#include "options.h"

enum {
    SHELLS_MAX = 8, /* that can be told in a message */
};

const struct colony_usage colony_completion_usage = {
    .command = "colony completion",
    .arguments = "SHELL",
    .summary =
        "Print what makes a shell complete colony's commands, options and the names of what\n"
        "runs: for bash, fish or zsh. `make install` puts it where they look by themselves.",
    .examples = "source <(colony completion bash)   # in ~/.bashrc\n"
                "source <(colony completion zsh)    # in ~/.zshrc, after compinit\n"
                "colony completion fish | source    # in ~/.config/fish/config.fish\n",
    .operands_min = 1,
    .operands_max = 1,
};

int colony_cmd_completion(int argc, char **argv)
{
    const char *names[SHELLS_MAX + 1] = {NULL};
    const char *nearest;
    const char *script;
    int exit_code;

    if (!colony_options_parse(&colony_completion_usage, NULL, &argc, argv, &exit_code))
        return exit_code;
    script = colony_completion_script(argv[1]);
    if (script) {
        printf("%s", script);
        return EXIT_OK;
    }
    for (size_t i = 0; i < SHELLS_MAX; i++)
        names[i] = colony_completion_shell(i);
    nearest = colony_name_nearest(argv[1], names);
    colony_options_complain(&colony_completion_usage,
                            nearest ? "cannot complete in %s: did you mean %s?"
                                    : "cannot complete in %s: use bash, fish or zsh%s",
                            argv[1], nearest ? nearest : "");
    return EXIT_USAGE;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* verb_init.c - a folder becomes a workspace: the layout, and the scripts in bin. */
#include "core/completion.h"
#include "core/error.h"
#include "session/verbs.h"
#include "session/workspace.h"

/* Where it lies, whichever shell reads it and wherever the workspace has been moved to. */
static const char env_sh[] =
    "# This session in your shell (bash, zsh, ksh): . bin/env.sh\n"
    "# Sets COLONY_SESSION, puts bin on PATH, loads completion.\n"
    "if [ -n \"${BASH_VERSION-}\" ]; then\n"
    "    eval '_colony_here=${BASH_SOURCE[0]}'\n"
    "elif [ -n \"${ZSH_VERSION-}\" ]; then\n"
    "    eval '_colony_here=${(%):-%x}'\n"
    "else\n"
    "    _colony_here=bin/env.sh # a plain sh does not tell: read it in the workspace\n"
    "fi\n"
    "_colony_here=$(CDPATH='' cd -P -- \"$(dirname -- \"$_colony_here\")\" 2>/dev/null && pwd) ||\n"
    "    _colony_here=\n"
    "if [ -z \"$_colony_here\" ] || [ ! -x \"$_colony_here/session\" ]; then\n"
    "    echo \"cannot tell where env.sh lies: cd to its workspace, then . bin/env.sh\" >&2\n"
    "    unset _colony_here\n"
    "    return 1\n"
    "fi\n"
    "COLONY_SESSION=${_colony_here%/bin}\n"
    "export COLONY_SESSION\n"
    "case :$PATH: in\n"
    "    *:\"$_colony_here\":*) ;;\n"
    "    *) PATH=$_colony_here:$PATH ;;\n"
    "esac\n"
    "if [ -n \"${BASH_VERSION-}\" ]; then\n"
    "    . \"$_colony_here/colony.bash\"\n"
    "elif [ -n \"${ZSH_VERSION-}\" ]; then\n"
    "    whence compdef >/dev/null || { autoload -Uz compinit && compinit; }\n"
    "    . \"$_colony_here/_colony\"\n"
    "fi\n"
    "unset _colony_here\n";

static const char env_fish[] = "# This session in your fish: source bin/env.fish\n"
                               "# Sets COLONY_SESSION, puts bin on PATH, loads completion.\n"
                               "set -l here (realpath (dirname (status --current-filename)))\n"
                               "set -gx COLONY_SESSION (dirname $here)\n"
                               "contains -- $here $PATH; or set -gx PATH $here $PATH\n"
                               "source $here/colony.fish\n";

static const char session_sh[] =
    "#!/bin/sh\n"
    "# `colony session` for this workspace from anywhere: bin/session show\n"
    "here=$(CDPATH='' cd -P -- \"$(dirname -- \"$0\")\" && pwd) || exit 1\n"
    "exec \"${COLONY:-colony}\" session -C \"${here%/bin}\" \"$@\"\n";

static const char session_yaml[] =
    "# Settings of this session; each is shown with its default.\n"
    "#\n"
    "# period: 5s                  # between looks at the states of processes\n"
    "#\n"
    "# stop:                       # what a stop sends in turn; SIGKILL is last\n"
    "#   signals: [QUIT, TERM]\n"
    "#   wait: 1s                  # after each\n"
    "#\n"
    "# schemes:                    # how to run what `start --uri` names, but for exec://\n"
    "#   ib: [\"/usr/bin/ib-service\", \"{path}\", \"--account={account}\"]\n"
    "#\n"
    "# dependences:                # who waits for whom; `colony session dependence` writes it\n"
    "#   master.trader: [\"master.tws:operative\"]\n";

static const struct script {
    const char *path;
    const char *text; /* NULL: what completes in @shell */
    const char *shell;
    bool is_program;
} scripts[] = {
    {"bin/_colony", NULL, "zsh", false},
    {"bin/colony.bash", NULL, "bash", false},
    {"bin/colony.fish", NULL, "fish", false},
    {"bin/env.fish", env_fish, NULL, false},
    {"bin/env.sh", env_sh, NULL, false},
    {"bin/session", session_sh, NULL, true},
    {"etc/session.yaml", session_yaml, NULL, false},
};

static int add_scripts(struct colony_workspace *workspace, size_t *added, struct colony_error *err)
{
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        const char *text =
            scripts[i].text ? scripts[i].text : colony_completion_script(scripts[i].shell);
        int rc =
            colony_workspace_add_file(workspace, scripts[i].path, text, scripts[i].is_program, err);

        if (rc < 0)
            return rc;
        *added += (size_t)rc;
    }
    return 0;
}

static int look(const struct colony_session *session, struct colony_error *err)
{
    struct colony_session_list list = {0};
    int rc =
        colony_session_list_read(&list, session->workspace, session->problem, session->data, err);

    colony_session_list_clear(&list);
    return rc;
}

/* With the lock, for two at once. */
static int fill(const struct colony_session *session, size_t *added, struct colony_error *err)
{
    int rc = colony_workspace_lock(session->workspace, COLONY_VERB_LOCK_MS, err);

    if (rc < 0)
        return rc;
    /* what is known of files that are gone is made again before an empty one takes their place */
    rc = look(session, err);
    if (rc == 0)
        rc = add_scripts(session->workspace, added, err);
    if (rc == 0)
        rc = look(session, err); /* and of the new ones it is known that they are good */
    colony_workspace_unlock(session->workspace);
    return rc;
}

int colony_verb_init(struct colony_session *session, const char *folder, size_t *added,
                     struct colony_error *err)
{
    const char *place = folder ? folder : ".";
    int rc = colony_workspace_init(place, added, err);

    if (rc == 0)
        rc = colony_workspace_open(&session->workspace, place, err);
    return rc < 0 ? rc : fill(session, added, err);
}

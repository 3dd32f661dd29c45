/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve.c - `colony serve`: reads and checks everything, opens what must be open, then becomes the
 * keeper. What is wrong with the settings or the addresses is told here, before anything runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/daemon.h"
#include "api/events.h"
#include "api/http.h"
#include "api/juggler.h"
#include "api/webhooks.h"
#include "commands.h"
#include "core/error.h"
#include "core/keeper_options.h"
#include "core/log.h"
#include "core/paths.h"
#include "core/settings.h"
#include "core/state_dir.h"
#include "fsctl/files.h"
#include "lib/built_in_internal.h"
#include "lib/sockets_internal.h"
#include "options.h"
#include "rpc/rpc.h"
#include "serve_internal.h"

#define AT(member) offsetof(struct serve, member)

const struct colony_option serve_options[] = {
    {"config", 'c', "FILE", "read settings from FILE, YAML or gaffer's .ini; a directory: --conf",
     OPTION_TEXT, AT(config), NULL},
    {"conf", 0, "DIR", "run what the files of DIR say, as ncolony does; with --messages",
     OPTION_TEXT, AT(conf), NULL},
    {"messages", 0, "DIR", "do what the files of DIR ask for", OPTION_TEXT, AT(messages), NULL},
    {"frequency", 0, "SECONDS", "look at both so often, whatever is told of changes; default 10",
     OPTION_DURATION, AT(frequency_ms), NULL},
    {"pid", 0, "DIR", "keep a file with the pid of each of these processes in DIR", OPTION_TEXT,
     AT(pid), NULL},
    {"threshold", 't', "SECONDS", "what ended sooner waits before it is started again; default 1",
     OPTION_DURATION, AT(threshold_ms), NULL},
    {"killtime", 'k', "SECONDS", "how long a process may take to stop; default 5", OPTION_DURATION,
     AT(kill_ms), NULL},
    {"minrestartdelay", 'm', "SECONDS",
     "the first such wait, each after it is twice as long; "
     "default 1",
     OPTION_DURATION, AT(min_delay_ms), NULL},
    {"maxrestartdelay", 'M', "SECONDS", "the longest such wait; default 3600", OPTION_DURATION,
     AT(max_delay_ms), NULL},
    {"create", 0, NULL, "make these directories if they are missing", OPTION_FLAG, AT(create),
     NULL},
    {"state", 0, "DIR", "keep state and the control socket in DIR; no TCP unless --bind says so",
     OPTION_TEXT, AT(state), NULL},
    {"bind", 0, "ADDR", "control over HOST:PORT, PORT or unix:PATH, may repeat; none: no TCP",
     OPTION_LIST, AT(bind), NULL},
    {"events", 0, "ADDR", "take events and tell the status at HOST:PORT or PORT, HTTP and UDP",
     OPTION_TEXT, AT(events), NULL},
    {"certfile", 0, "FILE", "the addresses of --bind speak TLS with this certificate", OPTION_TEXT,
     AT(certfile), NULL},
    {"keyfile", 0, "FILE", "its key, unless it is in the same file", OPTION_TEXT, AT(keyfile),
     NULL},
    {"tokens", 0, "FILE", "who may control from beyond this machine", OPTION_TEXT, AT(tokens),
     NULL},
    {"session", 0, "DIR", "keep the processes of the workspace DIR; its state is in DIR/.colony",
     OPTION_TEXT, AT(session), NULL},
    {"user", 0, "NAME", "run the engine as NAME; the keeper stays root", OPTION_TEXT, AT(user),
     NULL},
    {"rpc", 0, "ADDR", "control over ZeroMQ, at HOST:PORT or HOST", OPTION_TEXT, AT(rpc), NULL},
    {"log-file", 0, "FILE", "write colony's own log to FILE", OPTION_TEXT, AT(log_file), NULL},
    {"log-level", 0, "LEVEL", "error, warning, info or debug", OPTION_TEXT, AT(log_level), NULL},
    {"log-format", 0, "FORMAT", "text, json or classic", OPTION_TEXT, AT(log_format), NULL},
    {"name", 0, "NAME", "what this colony is called; default: FILE without its ending", OPTION_TEXT,
     AT(name), NULL},
    {"daemon", 0, NULL, "go to the background once it serves", OPTION_FLAG, AT(daemon), NULL},
    {"pidfile", 0, "FILE", "write the keeper's pid to FILE", OPTION_TEXT, AT(pidfile), NULL},
    {"exit-with", 0, "NAME", "end, with its exit code, when the process NAME ends", OPTION_LIST,
     AT(exit_with), NULL},
    {"verbose", 'v', NULL, "say more (log-level debug)", OPTION_COUNT, AT(verbose), NULL},
    {NULL, 0, NULL, NULL, OPTION_END, 0, NULL},
};

const struct colony_usage colony_serve_usage = {
    .command = "colony serve",
    .arguments = "",
    .summary = "Keep processes alive. Runs in the foreground until SIGTERM, SIGINT or SIGQUIT,\n"
               "which stop the processes first. Without --config and --state it reads\n" COLONY_ETC
               "/colony.yaml, and the files in " COLONY_ETC "/conf.d.",
    .examples = "colony serve --config colony.yaml\n"
                "colony serve --config colony.yaml --state ./state\n"
                "colony serve --config /conf --messages /messages\n"
                "colony serve --config colony.yaml --bind 127.0.0.1:5001 --daemon "
                "--pidfile colony.pid\n",
    .options = serve_options,
};

static int replace_text(char **field, const char *text)
{
    char *copy;

    if (!text)
        return 0;
    copy = strdup(text);
    if (!copy)
        return -ENOMEM;
    free(*field);
    *field = copy;
    return 0;
}

static void apply_log_options(struct colony_settings *settings, const struct serve *serve)
{
    if (serve->verbose > 0)
        settings->log_level = LOG_DEBUG;
    if (serve->log_level)
        settings->log_level = (enum colony_log_level)colony_log_parse_level(serve->log_level);
    if (serve->log_format)
        settings->log_format = (enum colony_log_format)serve_parse_log_format(serve->log_format);
}

/* The command line wins over the file. */
static int apply_options(struct colony_settings *settings, const struct serve *serve,
                         struct colony_error *err)
{
    int rc;

    rc = replace_text(&settings->state_dir, serve->state);
    if (rc == 0)
        rc = replace_text(&settings->log_file, serve->log_file);
    if (rc == 0)
        rc = replace_text(&settings->http.tokens, serve->tokens);
    if (rc == 0 && serve->rpc) {
        settings->rpc.is_wanted = true;
        rc = replace_text(&settings->rpc.bind, serve->rpc);
    }
    if (rc == 0 && serve->certfile)
        rc = colony_http_set_tls(&settings->http, serve->certfile, serve->keyfile);
    if (rc == 0 && serve->bind.count > 0)
        rc = colony_http_set_bind(&settings->http, serve->bind.items);
    if (rc < 0)
        return colony_fail_os(err, rc, "cannot start");
    apply_log_options(settings, serve);
    rc = serve_apply_daemon(settings, serve, err);
    if (rc == 0 && serve->user)
        rc = serve_apply_user(settings, serve->user, err);
    if (rc == 0 && serve->exit_with.count > 0)
        rc = colony_settings_set_exit_with(settings, serve->exit_with.items[0], err);
    return rc;
}

static int find_state_dir(const struct serve *serve, char *path, size_t size,
                          struct colony_error *err)
{
    const char *given = serve->settings ? serve->settings->state_dir : serve->state;
    int rc;

    if (given) {
        if ((size_t)snprintf(path, size, "%s", given) >= size)
            return colony_fail_os(err, -ENAMETOOLONG, "cannot use the state folder %s", given);
        return 0;
    }
    rc = colony_default_state_dir(path, size);
    return rc < 0 ? colony_fail(err, rc,
                                "cannot find a state folder: you have no home, give one with "
                                "--state DIR")
                  : 0;
}

/* What is made in the state folder must not be taken for somebody's file, nor be one already. */
static int check_roles(const struct serve *serve, struct colony_error *err)
{
    char path[PATH_MAX];
    int rc;

    if (!serve->settings->directories.config)
        return 0;
    rc = find_state_dir(serve, path, sizeof path, err);
    return rc < 0 ? rc : colony_files_check_roles(&serve->settings->directories, path, err);
}

static int load_settings(struct serve *serve, struct colony_error *err)
{
    int rc;

    rc = serve_settle_directories(serve, err);
    if (rc == 0)
        rc = serve_settle_session(serve, err);
    if (rc < 0)
        return rc;
    if (!serve->config && !serve->state)
        serve->config = colony_settings_default_path();
    if (serve->config)
        rc = colony_settings_load(&serve->settings, serve->config, err);
    else if (!serve->settings)
        rc = colony_settings_new(&serve->settings, err);
    if (rc == 0)
        rc = apply_options(serve->settings, serve, err);
    if (rc == 0)
        rc = serve_apply_front(serve->settings, serve, err);
    if (rc == 0)
        rc = serve_apply_directories(serve->settings, serve, err);
    if (rc == 0)
        rc = serve_apply_session(serve->settings, serve, err);
    if (rc == 0)
        rc = check_roles(serve, err);
    if (rc == 0)
        rc = colony__built_in_check(serve->settings, err);
    if (rc == 0)
        serve_tell_directories(serve);
    return rc;
}

static void tell_of_last_settings(const struct colony_error *reason)
{
    colony_log(SEVERITY_ERROR,
               "%s: goes on with the settings applied last, for the processes "
               "that still run",
               reason->message);
}

/*
 * Settings that cannot be read keep a colony from starting; but where processes of an earlier one
 * live on, they must not be left alone for it: then it goes on with what was applied last.
 */
static int fall_back_to_last_settings(struct serve *serve, const struct colony_error *reason,
                                      struct colony_error *err)
{
    char path[PATH_MAX];
    char table[PATH_MAX];
    bool has_place = serve->config || serve->state || !serve->conf; /* else it is not known */
    int rc = has_place ? find_state_dir(serve, path, sizeof path, err) : -ENOENT;

    if (rc == 0 && (size_t)snprintf(table, sizeof table, "%s/table", path) >= sizeof table)
        rc = -ENAMETOOLONG;
    if (rc == 0 && access(table, F_OK) < 0)
        rc = -errno; /* nothing ever ran there, and nothing is made for what cannot be used */
    if (rc == 0)
        rc = colony_state_dir_open(&serve->state_dir, path, err);
    if (rc == 0 && !colony_state_dir_has_survivors(&serve->state_dir))
        rc = -ENOENT;
    if (rc == 0)
        rc = colony_state_dir_load_settings(serve->state_dir.path, &serve->settings, err);
    if (rc < 0) {
        *err = *reason;
        return -EINVAL;
    }
    tell_of_last_settings(reason);
    return 0;
}

/*
 * What the engine is to read. Where that cannot be written, as on a full disk, processes that live
 * on are not left alone for it, either: what was applied last is there to be read.
 */
static int save_settings(struct serve *serve, struct colony_error *err)
{
    const struct colony_user_settings *user = &serve->settings->user;
    struct colony_settings *last = NULL;
    int rc = colony_state_dir_save_settings(&serve->state_dir, serve->settings, user->name != NULL,
                                            user->engine.gid, err);

    if (rc == 0 || !colony_state_dir_has_survivors(&serve->state_dir) ||
        colony_state_dir_load_settings(serve->state_dir.path, &last, NULL) < 0)
        return rc;
    tell_of_last_settings(err);
    colony_settings_free(serve->settings);
    serve->settings = last;
    return 0;
}

static int open_state(struct serve *serve, struct colony_error *err)
{
    const struct colony_user_settings *user = &serve->settings->user;
    char path[PATH_MAX];
    int rc = 0;

    if (serve->state_dir.lock_fd < 0) {
        rc = find_state_dir(serve, path, sizeof path, err);
        if (rc == 0)
            rc = colony_state_dir_open(&serve->state_dir, path, err);
    }
    if (rc == 0)
        rc = colony_state_dir_make_engines(&serve->state_dir,
                                           user->name ? user->engine.uid : geteuid(),
                                           user->name ? user->engine.gid : getegid(), err);
    return rc < 0 ? rc : save_settings(serve, err);
}

/* The control socket always; then what is asked for, else 127.0.0.1:5000; then the endpoints. */
static int open_sockets(struct serve *serve, struct colony_error *err)
{
    bool has_state = serve->settings->state_dir != NULL;
    char path[PATH_MAX];
    const struct colony__sockets_plan plan = {
        .settings = serve->settings,
        .control = path,
        .has_default = !has_state,
        .has_events = true,
        .has_rpc = true,
        .passed = &serve->passed,
    };
    int rc = 0;

    if (has_state)
        (void)snprintf(path, sizeof path, "%.4000s/colony.sock", serve->state_dir.path);
    else
        rc = colony_default_socket(path, sizeof path);
    return rc < 0 ? colony_fail_os(err, rc, "cannot name the control socket")
                  : colony__sockets_open(&serve->keeper, &plan, err);
}

static void add_identity(struct colony_keeper_options *keeper,
                         const struct colony_identity *identity)
{
    struct colony_keeper_identity *out;

    if (keeper->identity_count == KEEPER_IDENTITIES_MAX)
        return;
    out = &keeper->identities[keeper->identity_count++];
    out->uid = identity->uid;
    out->gid = identity->gid;
    out->group_count = (uint32_t)identity->group_count;
    for (size_t i = 0; i < identity->group_count; i++)
        out->groups[i] = identity->groups[i];
}

static int fill_keeper_options(struct serve *serve, struct colony_error *err)
{
    static const enum colony_log_style styles[] = {
        [LOG_FORMAT_TEXT] = LOG_STYLE_TEXT,
        [LOG_FORMAT_JSON] = LOG_STYLE_JSON,
        [LOG_FORMAT_CLASSIC] = LOG_STYLE_CLASSIC,
    };
    const struct colony_settings *settings = serve->settings;
    struct colony_keeper_options *keeper = &serve->keeper;
    ssize_t length = readlink("/proc/self/exe", keeper->program, sizeof keeper->program - 1);
    struct rlimit limit;

    if (length < 0)
        return colony_fail_os(err, -errno, "cannot find our own program (is /proc mounted?)");
    (void)snprintf(keeper->state_dir, sizeof keeper->state_dir, "%s", serve->state_dir.path);
    keeper->lock_fd = serve->state_dir.lock_fd;
    keeper->log_level = (int)settings->log_level;
    keeper->log_style = (int)styles[settings->log_format];
    (void)snprintf(keeper->name, sizeof keeper->name, "%s", settings->name);
    keeper->is_managed = getenv("NOTIFY_SOCKET") != NULL;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        keeper->nofile_soft = limit.rlim_cur;
    if (!settings->user.name)
        return 0;
    keeper->has_user = true;
    add_identity(keeper, &settings->user.engine);
    for (size_t i = 0; i < settings->user.identity_count; i++)
        add_identity(keeper, &settings->user.identities[i]);
    keeper->grants = (settings->user.allow_nice ? (uint32_t)GRANT_NICE : 0) |
                     (settings->user.allow_oom_score_adj ? (uint32_t)GRANT_OOM : 0) |
                     (settings->user.allow_rlimits ? (uint32_t)GRANT_RLIMITS : 0);
    return 0;
}

static int become_keeper(struct serve *serve, struct colony_error *err)
{
    char **argv = colony_keeper_options_argv(&serve->keeper, "keeper");

    if (!argv)
        return colony_fail(err, -ENOMEM, "cannot start: out of memory");
    (void)fcntl(serve->keeper.lock_fd, F_SETFD, 0);
    for (size_t i = 0; i < serve->keeper.socket_count; i++)
        (void)fcntl(serve->keeper.sockets[i].fd, F_SETFD, 0);
    (void)execv("/proc/self/exe", argv);
    free(argv);
    return colony_fail_os(err, -errno, "cannot start the keeper");
}

static int prepare(struct serve *serve, struct colony_error *err)
{
    int rc;

    colony_passed_take(&serve->passed); /* before anything else is opened */
    rc = load_settings(serve, err);
    if (rc < 0 && rc != -ENOMEM) {
        struct colony_error reason = *err;

        colony_settings_free(serve->settings);
        serve->settings = NULL;
        rc = fall_back_to_last_settings(serve, &reason, err);
    }
    if (rc < 0 || !serve->settings)
        return -EBADMSG; /* the settings are bad: exit code 78 */
    rc = open_state(serve, err);
    if (rc == 0)
        rc = fill_keeper_options(serve, err);
    if (rc == 0)
        rc = serve_place_files(serve, err);
    if (rc == 0)
        rc = serve_open_log(serve, err);
    if (rc == 0)
        rc = open_sockets(serve, err); /* last: what is made here others can see */
    if (rc == 0)
        colony_passed_drop(&serve->passed);
    return rc;
}

int serve_run(struct serve *serve, const struct colony_usage *usage)
{
    struct colony_error err = {0};
    int exit_code;
    int rc = prepare(serve, &err);

    if (rc == 0 && serve->daemon && serve_go_to_background(serve, &exit_code))
        return exit_code; /* whoever started us knows how it went */
    if (rc == 0) {
        serve_use_log(serve);
        serve_tell_start(serve);
        rc = become_keeper(serve, &err);
    }
    colony_keeper_options_unlink(&serve->keeper);
    colony_options_complain(usage, "%s", err.message);
    if (rc == -ENOENT)
        return EXIT_FAILED; /* a missing file is no missing name, which is what that code is for */
    return rc == -EBADMSG ? EXIT_BAD_CONFIG : (int)colony_error_info(rc)->exit_code;
}

int colony_cmd_serve(int argc, char **argv)
{
    static struct serve serve; /* too large for the stack */
    struct colony_error err = {0};
    int exit_code;

    serve_init(&serve);
    if (!colony_options_parse(&colony_serve_usage, &serve, &argc, argv, &exit_code))
        return exit_code;
    if (serve_check_options(&serve, &err) < 0) {
        colony_options_complain(&colony_serve_usage, "%s", err.message);
        return EXIT_USAGE;
    }
    return serve_run(&serve, &colony_serve_usage);
}

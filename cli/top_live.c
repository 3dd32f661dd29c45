/* SPDX-License-Identifier: Apache-2.0 */
/* top_live.c - `colony top` on a screen: waits for keys, answers and the next look. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "columns.h"
#include "core/error.h"
#include "core/exchange.h"
#include "top_internal.h"

enum {
    AGAIN_MS = 500,      /* while nobody answers */
    MESSAGE_MS = 5000,   /* that something is told */
    ESCAPE_MS = 50,      /* for the rest of a key that is several bytes */
    PATIENCE_MS = 10000, /* for an answer to a look */
};

static volatile sig_atomic_t caught;
static volatile sig_atomic_t is_resized;

static void on_signal(int signo)
{
    if (signo == SIGWINCH || signo == SIGCONT)
        is_resized = 1;
    else
        caught = signo;
}

void colony__top_say(struct top *top, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (vsnprintf(top->message, sizeof top->message, format, args) < 0)
        top->message[0] = '\0';
    va_end(args);
    top->message_until_ms = colony_target_now_ms() + MESSAGE_MS;
}

/* --- looks ------------------------------------------------------------------------------------ */

void colony__top_ask_slots(struct top *top)
{
    struct colony_error err = {0};

    if (top->slots)
        return;
    top->slots_request = (struct colony_request){.method = "GET", .path = "/slots?stats=true"};
    if (colony_exchange_open(&top->slots, &top->ctl.target, &top->slots_request, &err) < 0) {
        top->slots = NULL;
        top->is_cut = true;
        top->slots_at_ms = colony_target_now_ms() + AGAIN_MS;
        return;
    }
    top->slots_at_ms = colony_target_now_ms() + PATIENCE_MS;
}

static int take_slots(struct top *top, const struct colony_reply *reply)
{
    struct cJSON *json;
    int rc;

    if (reply->status / 100 != 2) {
        colony__top_say(top, "cannot look: colony answers with status %d", reply->status);
        return 0;
    }
    json = cJSON_ParseWithLength(reply->body, reply->size);
    rc = colony__top_take(&top->model, json, colony_target_now_ms());
    cJSON_Delete(json);
    return rc;
}

static void end_slots(struct top *top, bool is_cut)
{
    colony_exchange_close(top->slots);
    top->slots = NULL;
    top->is_cut = is_cut;
    top->slots_at_ms = colony_target_now_ms() + (is_cut ? AGAIN_MS : top->interval_ms);
}

static void step_slots(struct top *top, bool is_readable)
{
    bool is_due = colony_target_now_ms() >= top->slots_at_ms;
    int rc;

    if (!top->slots) {
        if (is_due)
            colony__top_ask_slots(top);
        return;
    }
    rc = is_readable ? colony_exchange_read(top->slots, NULL) : 0;
    if (rc == 1)
        end_slots(top, take_slots(top, colony_exchange_reply(top->slots)) < 0);
    else if (rc < 0 || is_due)
        end_slots(top, true);
}

/* --- deeds ------------------------------------------------------------------------------------ */

void colony__top_act(struct top *top)
{
    struct top_deed *deed = &top->deed;
    struct colony_error err = {0};
    char after[TOP_INPUT_MAX + 64];

    if (top->acting) {
        colony__top_say(top, "the one before is not answered yet");
        return;
    }
    (void)snprintf(after, sizeof after, "%s%s", deed->before, deed->argument);
    if (colony__ctl_path(top->act_path, "/processes/", deed->name, after) != EXIT_OK)
        return;
    top->act_request = (struct colony_request){.method = "POST", .path = top->act_path};
    if (colony_exchange_open(&top->acting, &top->ctl.target, &top->act_request, &err) == 0)
        return;
    top->acting = NULL;
    colony__top_say(top, "%s", err.message);
}

static void tell_deed(struct top *top, const struct colony_reply *reply)
{
    const struct top_deed *deed = &top->deed;
    struct cJSON *json = cJSON_ParseWithLength(reply->body, reply->size);
    const char *reason = colony__ctl_text(json, "reason");

    if (reply->status / 100 == 2)
        colony__top_say(top, "%.150s: %s%s", deed->name, deed->done, deed->told);
    else
        colony__top_say(top, "%s%.200s",
                        strncmp(reason, "cannot ", 7) == 0 ? "" : "cannot: ", reason);
    cJSON_Delete(json);
}

static void step_deed(struct top *top, bool is_readable)
{
    struct colony_error err = {0};
    int rc;

    if (!top->acting || !is_readable)
        return;
    rc = colony_exchange_read(top->acting, &err);
    if (rc == 0)
        return;
    if (rc == 1)
        tell_deed(top, colony_exchange_reply(top->acting));
    else
        colony__top_say(top, "%.200s", err.message);
    colony_exchange_close(top->acting);
    top->acting = NULL;
    if (!top->slots)
        top->slots_at_ms = 0; /* what has come of it is to be seen at once */
}

/* --- the screen ------------------------------------------------------------------------------- */

static void catch_signals(sigset_t *before)
{
    static const int wanted[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGCONT};
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t blocked;

    (void)sigemptyset(&action.sa_mask);
    (void)sigemptyset(&blocked);
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        (void)sigaddset(&blocked, wanted[i]);
        (void)sigaction(wanted[i], &action, NULL);
    }
    (void)sigprocmask(SIG_BLOCK, &blocked, before);
}

static void use_colours(struct top *top)
{
    static const short colours[] = {COLOR_GREEN, COLOR_YELLOW, COLOR_RED, COLOR_CYAN};
    const struct colony_ncurses *lib = top->lib;

    if (!colony_columns_wants_colour() || !lib->has_colors() || lib->start_color() == ERR)
        return;
    top->has_colour = true;
    (void)lib->use_default_colors();
    for (size_t i = 0; i < sizeof colours / sizeof colours[0]; i++)
        if (lib->init_pair((short)(i + 1), colours[i], -1) == ERR &&
            lib->init_pair((short)(i + 1), colours[i], COLOR_BLACK) == ERR)
            top->has_colour = false;
}

static int open_screen(struct top *top)
{
    const struct colony_ncurses *lib = top->lib;
    const char *term = getenv("TERM");

    (void)colony_columns_shows_utf8();      /* the locale, before ncurses looks at it */
    if (!term || strcmp(term, "dumb") != 0) /* whose cursor cannot be moved */
        top->screen = lib->newterm(NULL, stdout, stdin);
    if (!top->screen)
        return colony__ctl_fail(EXIT_FAILED,
                                "cannot use this terminal: TERM is %s (colony top -b prints one "
                                "table anywhere)",
                                term ? term : "not set");
    top->window = lib->newwin(0, 0, 0, 0);
    if (!top->window) {
        (void)lib->endwin();
        lib->delscreen(top->screen);
        return colony__ctl_fail(EXIT_FAILED, "cannot use this terminal: out of memory");
    }
    (void)lib->cbreak();
    (void)lib->noecho();
    (void)lib->curs_set(0);
    (void)lib->set_escdelay(ESCAPE_MS);
    (void)lib->keypad(top->window, true);
    (void)lib->nodelay(top->window, true);
    use_colours(top);
    return EXIT_OK;
}

static void close_screen(struct top *top)
{
    (void)top->lib->curs_set(1);
    (void)top->lib->delwin(top->window);
    (void)top->lib->endwin();
    top->lib->delscreen(top->screen);
}

/* ncurses would look at it only when it next reads keys; and not at all with signals of our own. */
static void fit(struct top *top)
{
    struct winsize size = {0};

    if (!is_resized)
        return;
    is_resized = 0;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0) {
        (void)top->lib->resizeterm(size.ws_row, size.ws_col);
        (void)top->lib->wresize(top->window, size.ws_row, size.ws_col);
    }
    (void)top->lib->clearok(top->window, true);
}

/* --- all of it -------------------------------------------------------------------------------- */

enum {
    POLL_KEYS,
    POLL_SLOTS,
    POLL_DEED,
    POLL_OUTPUT,
    POLL_COUNT,
};

/* -EINTR: a signal came, which may be for us. */
static int wait_for_all(struct top *top, struct pollfd polls[POLL_COUNT], const sigset_t *mask)
{
    struct top_output *output = &top->output;
    int wait_ms = colony_target_until_ms(top->slots_at_ms);
    struct timespec span;

    polls[POLL_KEYS] = (struct pollfd){STDIN_FILENO, POLLIN, 0};
    polls[POLL_SLOTS] =
        (struct pollfd){top->slots ? colony_exchange_fd(top->slots) : -1, POLLIN, 0};
    polls[POLL_DEED] =
        (struct pollfd){top->acting ? colony_exchange_fd(top->acting) : -1, POLLIN, 0};
    polls[POLL_OUTPUT] = (struct pollfd){
        output->is_followed ? colony_followed_fd(&output->followed) : -1, POLLIN, 0};
    if (output->is_followed)
        wait_ms = colony_target_least_ms(wait_ms, colony_followed_timeout(&output->followed));
    if (top->message[0] != '\0')
        wait_ms = colony_target_least_ms(wait_ms, colony_target_until_ms(top->message_until_ms));
    span = (struct timespec){wait_ms / 1000, (long)(wait_ms % 1000) * 1000000};
    if (ppoll(polls, POLL_COUNT, &span, mask) >= 0)
        return 0;
    memset(polls, 0, sizeof *polls * POLL_COUNT);
    return -errno;
}

static void read_keys(struct top *top)
{
    int key;

    while (!top->is_over && (key = top->lib->wgetch(top->window)) != ERR)
        colony__top_key(top, key);
}

static void turn(struct top *top, const sigset_t *mask)
{
    struct pollfd polls[POLL_COUNT] = {{0}};
    int rc;

    colony__top_follow(top);
    colony__top_draw(top);
    rc = wait_for_all(top, polls, mask);
    if (rc < 0 && rc != -EINTR)
        top->is_over = true;
    if (polls[POLL_KEYS].revents & (POLLHUP | POLLERR | POLLNVAL))
        top->is_over = true; /* the terminal has gone */
    fit(top);
    step_slots(top, polls[POLL_SLOTS].revents != 0);
    step_deed(top, polls[POLL_DEED].revents != 0);
    colony__top_step_output(top, polls[POLL_OUTPUT].revents != 0);
    if (polls[POLL_KEYS].revents & POLLIN)
        read_keys(top);
    if (top->message[0] != '\0' && colony_target_until_ms(top->message_until_ms) == 0)
        top->message[0] = '\0';
}

int colony__top_run(struct top *top)
{
    sigset_t mask;
    int exit_code = open_screen(top);

    if (exit_code != EXIT_OK)
        return exit_code;
    catch_signals(&mask); /* after ncurses, which has handlers of its own */
    while (!top->is_over && !caught)
        turn(top, &mask);
    close_screen(top);
    colony_exchange_close(top->slots);
    colony_exchange_close(top->acting);
    colony__top_clear_output(&top->output);
    if (caught) {
        (void)signal(caught, SIG_DFL);
        (void)raise(caught);
    }
    (void)sigprocmask(SIG_SETMASK, &mask, NULL); /* where it comes */
    return EXIT_OK;
}

#include "coordinator/launchers/systemd_unit.h"

#include <math.h>
#include <string.h>

enum {
    RESTART_S = 5,
    STOP_MARGIN_S = 10, /* beyond the drain limit, before all of it is killed */
};

/* In a unit % begins a specifier. */
static void add_path(struct script *script, const char *path)
{
    for (; *path != '\0'; path++) {
        script_add(script, "%s%c", *path == '%' ? "%" : "", *path);
    }
}

/* What goes before a character of a word so that it stays itself. The program, other than its arguments, is no
 * place for variables, and $ nothing special in it. */
static const char *escape_of(char character, bool is_program)
{
    switch (character) {
    case '%':
        return "%";
    case '$':
        return is_program ? "" : "$";
    case '\\':
    case '"':
        return "\\";
    default:
        return "";
    }
}

/* A word of ExecStart=, in quotes where it needs them. */
static void add_word(struct script *script, const char *word, bool is_program)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-+=.,:/@";
    size_t len = strlen(word);
    const char *quote = len > 0 && strspn(word, plain) == len ? "" : "\"";
    script_add(script, "%s", quote);
    for (; *word != '\0'; word++) {
        script_add(script, "%s%c", escape_of(*word, is_program), *word);
    }
    script_add(script, "%s", quote);
}

bool systemd_takes_path(const char *path)
{
    size_t len = strlen(path);
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)path[i] < ' ' || path[i] == 0x7f) {
            return false;
        }
    }
    return len > 0 && path[0] == '/' && path[len - 1] != ' ' && path[len - 1] != '\\';
}

/* --- [Unit] --- */

static void add_about(struct script *script, const struct systemd_spec *spec)
{
    script_add(script,
               "# Made by 'quartet launch systemd', which does not change a file that is there: "
               "remove it, "
               "or give a --name.\n"
               "[Unit]\n"
               "Description=quartet worker %%i\n");
    if (!spec->user_manager) {
        script_add(script, "Wants=network-online.target\nAfter=network-online.target\n");
    }
}

/* --- [Service]: what runs, and when again --- */

static void add_command(struct script *script, const struct systemd_spec *spec)
{
    const struct words *command = spec->command;
    script_add(script, "\n[Service]\nType=exec\nExecStart=");
    add_word(script, command->list[0], true);
    for (size_t i = 1; i < command->count; i++) {
        script_add(script, " ");
        if (spec->access != NULL && strcmp(command->list[i], SYSTEMD_ACCESS) == 0) {
            script_add(script, "%s", SYSTEMD_ACCESS);
        } else {
            add_word(script, command->list[i], false);
        }
    }
    script_add(script, " --name %%p-%%i\n");
    if (spec->access != NULL) {
        script_add(script, "LoadCredential=access:");
        add_path(script, spec->access);
        script_add(script, "\n");
    }
}

/* 2: wrong usage; 4: refused by the coordinator. Trying again mends neither. KillMode=mixed: the worker alone is told, and ends what
 * it has started. OOMPolicy: an item that takes too much memory is ended, and not its worker with it. */
static void add_ends(struct script *script, const struct systemd_spec *spec)
{
    script_add(script,
               "Restart=%s\nRestartSec=%d\nRestartPreventExitStatus=2 4\n"
               "KillMode=mixed\nTimeoutStopSec=%.0f\nOOMPolicy=continue\n",
               spec->stay ? "always" : "on-failure",
               RESTART_S,
               ceil(spec->drain_limit_s) + STOP_MARGIN_S);
}

static void add_limits(struct script *script, const struct systemd_spec *spec)
{
    if (spec->cpu_quota != NULL) {
        script_add(script, "CPUQuota=%s\n", spec->cpu_quota);
    }
    if (spec->memory_max != NULL) {
        script_add(script, "MemoryMax=%s\n", spec->memory_max);
    }
}

/* --- [Service]: who it is, and what it cannot do --- */

/* Where plugins are kept: apart for each instance, as each has another user. */
static void add_user(struct script *script, const struct systemd_spec *spec)
{
    script_add(script,
               "CacheDirectory=%%p/%%i\nCacheDirectoryMode=0700\nEnvironment=XDG_CACHE_HOME=%%C/"
               "%%p/%%i\n");
    if (spec->user_manager) {
        return;
    }
    if (spec->run_as != NULL) {
        script_add(script, "User=%s\n", spec->run_as);
    } else {
        script_add(script, "DynamicUser=yes\n");
    }
}

/* What needs no rights to be shut off. Not MemoryDenyWriteExecute: interpreters that compile, as node and java, need it. */
static void add_hardening_for_all(struct script *script)
{
    script_add(script,
               "UMask=0077\n"
               "NoNewPrivileges=yes\n"
               "LockPersonality=yes\n"
               "RestrictNamespaces=yes\n"
               "RestrictRealtime=yes\n"
               "RestrictSUIDSGID=yes\n"
               "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK\n"
               "SystemCallArchitectures=native\n"
               "SystemCallFilter=@system-service\n"
               "SystemCallErrorNumber=EPERM\n");
}

static void add_hardening(struct script *script)
{
    script_add(script,
               "CapabilityBoundingSet=\n"
               "PrivateDevices=yes\n"
               "PrivateTmp=yes\n"
               "ProtectSystem=strict\n"
               "ProtectHome=read-only\n"
               "ProtectClock=yes\n"
               "ProtectControlGroups=yes\n"
               "ProtectHostname=yes\n"
               "ProtectKernelLogs=yes\n"
               "ProtectKernelModules=yes\n"
               "ProtectKernelTunables=yes\n"
               "ProtectProc=invisible\n");
}

void systemd_unit_add(struct script *script, const struct systemd_spec *spec)
{
    add_about(script, spec);
    add_command(script, spec);
    add_ends(script, spec);
    add_limits(script, spec);
    add_user(script, spec);
    add_hardening_for_all(script);
    if (!spec->user_manager) {
        add_hardening(script);
    }
    script_add(script,
               "\n[Install]\nWantedBy=%s\n",
               spec->user_manager ? "default.target" : "multi-user.target");
}

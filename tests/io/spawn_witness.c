/* A program that tells how it was started, one line for each fact; for test_spawn.c. */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static void tell_arguments(char **argv)
{
    for (int i = 0; argv[i] != NULL; i++) {
        (void)printf("arg %d [%s]\n", i, argv[i]);
    }
    for (char **name = environ; *name != NULL; name++) {
        (void)printf("env [%s]\n", *name);
    }
}

static void tell_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    for (const struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] != '.' && atoi(entry->d_name) != dirfd(folder)) {
            (void)printf("fd %s\n", entry->d_name);
        }
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
}

static void tell_signals(void)
{
    char line[256];
    FILE *status = fopen("/proc/self/status", "re");
    while (status != NULL && fgets(line, sizeof(line), status) != NULL) {
        if (strncmp(line, "SigBlk", 6) == 0 || strncmp(line, "SigIgn", 6) == 0) {
            (void)fputs(line, stdout);
        }
    }
    if (status != NULL) {
        (void)fclose(status);
    }
}

int main(int argc, char **argv)
{
    (void)argc;
    char cwd[PATH_MAX];
    struct rlimit limit;
    int pdeathsig = -1;
    tell_arguments(argv);
    tell_descriptors();
    tell_signals();
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    (void)prctl(PR_GET_PDEATHSIG, &pdeathsig);
    (void)printf("nofile %llu of %llu\n",
                 (unsigned long long)limit.rlim_cur,
                 (unsigned long long)limit.rlim_max);
    (void)printf("cwd %s\n", getcwd(cwd, sizeof(cwd)));
    (void)printf("leads its group: %d\n", getpgid(0) == getpid());
    (void)printf("pdeathsig %d\n", pdeathsig);
    return 0;
}

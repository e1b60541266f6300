/* lesson-03 in C: the same system calls, the same lines in its log, the same handler. */

#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void on_sigchld(int signal)
{
    (void)signal;
    int saved = errno;
    pid_t child;
    while ((child = waitpid(-1, NULL, WNOHANG)) > 0) {
        char line[] = "[SIGCHLD] reaped child         \n";
        char *at = line + sizeof line - 2;
        do
            *--at = '0' + child % 10;
        while ((child /= 10) > 0);
        if (write(STDOUT_FILENO, line, sizeof line - 1) < 0) { }
    }
    errno = saved;
}

static void echo(int connection)
{
    char buffer[1024];
    ssize_t length;
    while ((length = recv(connection, buffer, sizeof buffer, 0)) > 0) {
        dprintf(STDOUT_FILENO, "[%d] received \"%.*s\"\n", getpid(), (int)length, buffer);
        if (length == 3 && memcmp(buffer, "Bye", 3) == 0)
            break;
        if (send(connection, buffer, length, 0) != length)
            break;
    }
    close(connection);
}

int main(void)
{
    struct sockaddr_in addr = { .sin_family = AF_INET }, peer;
    char ip[INET_ADDRSTRLEN];
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct sigaction action = { .sa_handler = on_sigchld, .sa_flags = SA_RESTART };
    sigaction(SIGCHLD, &action, NULL);
    signal(SIGPIPE, SIG_IGN);

    int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    socklen_t length = sizeof addr;
    if (bind(listener, (struct sockaddr *)&addr, length) < 0 || listen(listener, 128) < 0)
        return perror("twin"), 1;
    getsockname(listener, (struct sockaddr *)&addr, &length);
    dprintf(STDOUT_FILENO, "[%d] twin listening on 127.0.0.1:%d, pid %d\n", getpid(),
            ntohs(addr.sin_port), getpid());

    for (;;) {
        length = sizeof peer;
        int connection = accept4(listener, (struct sockaddr *)&peer, &length, SOCK_CLOEXEC);
        if (connection < 0)
            continue; /* EINTR, or a client that has gone already */
        pid_t child = fork();
        if (child == 0) {
            close(listener);
            echo(connection);
            _exit(0);
        }
        if (child > 0) {
            inet_ntop(AF_INET, &peer.sin_addr, ip, sizeof ip);
            int port = ntohs(peer.sin_port);
            dprintf(STDOUT_FILENO, "[%d] child %d serves %s:%d\n", getpid(), child, ip, port);
        }
        close(connection);
    }
}

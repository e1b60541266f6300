# The Perl classic as it was taught for long: a reaper that waits once for each signal.
use strict;
use warnings;
use IO::Socket::INET;
use POSIX ();

my ($host, $port) = @ARGV;
$SIG{CHLD} = sub { wait };
my $listener = IO::Socket::INET->new(
    LocalAddr => $host, LocalPort => $port, Listen => 128, ReuseAddr => 1,
) or die "cannot listen on $host:$port: $@\n";
while (1) {
    my $connection = $listener->accept or next;    # EINTR, after each SIGCHLD
    my $child = fork;
    if (defined $child && $child == 0) {
        close $listener;
        while (sysread($connection, my $data, 1024)) { syswrite $connection, $data }
        POSIX::_exit(0);
    }
    close $connection;
}

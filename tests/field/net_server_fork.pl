# An echo server by Net::Server::Fork.
package Echo;
use strict;
use warnings;
use parent 'Net::Server::Fork';

sub process_request {
    my ($self, $connection) = @_;
    while (sysread($connection, my $data, 1024)) { syswrite $connection, $data }
}

my ($host, $port) = @ARGV;
Echo->run(host => $host, port => $port, ipv => 4);

# A worker of the service "badges" on the raw bridge protocol, profile L0, over stdio.
# It uses core modules alone: a language needs no package to host activities.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use JSON::PP;

my $json = JSON::PP->new->utf8;
binmode STDIN;
binmode STDOUT;
$| = 1;

sub send_frame {
    my $document = $json->encode({@_});
    print STDOUT pack('N', length $document), $document;
}

sub receive {
    my ($length) = @_;
    my $bytes = '';
    while (length $bytes < $length) {
        read(STDIN, $bytes, $length - length $bytes, length $bytes) or exit 0;
    }
    return $bytes;
}

sub witness {
    my ($text) = @_;
    open my $file, '>>', $ENV{DEMO_WITNESS} or die "witness: $!";
    binmode $file, ':utf8';
    print $file "$text\n";
    close $file;
}

sub badge {
    my ($name) = @_;
    my $bytes = $name;
    utf8::encode($bytes);
    return $name . '-' . substr(sha256_hex($bytes), 0, 6);
}

send_frame(
    frame      => 'hello',
    service    => 'badges',
    instance   => "badges-$$",
    language   => 'perl',
    activities => [{ name => 'badge' }],
);
while (1) {
    my $frame = $json->decode(receive(unpack 'N', receive(4)));
    next if $frame->{frame} ne 'task';
    my @reply = (task => $frame->{task}, nonce => $frame->{nonce} // '');
    if ($frame->{activity} ne 'badge') {
        my %error = (type => 'UnknownActivity', started => JSON::PP::false);
        send_frame(frame => 'error', @reply, error => \%error);
        next;
    }
    my $name = $frame->{arguments}[0];
    witness("begin badge $name");
    select undef, undef, undef, $ENV{DEMO_STEP_MS} / 1000;
    witness("end badge $name");
    send_frame(frame => 'result', @reply, value => badge($name));
}

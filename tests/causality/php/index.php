<?php
// One request in a process of PHP-FPM, behind nginx; calls over PHP's persistent streams, which outlive a request.

$backend = getenv('CAUSALITY_BACKEND');
// Which calls a request makes; half of them are answered from a cache, at random.
const CALLS = ['sync' => 1, 'forget' => 1, 'retry' => 1, 'sequential' => 3, 'parallel' => 3];

function now(): int
{
    return (int) (microtime(true) * 1e6) * 1000;
}

function note(array $line): void
{
    $file = getenv('CAUSALITY_TRUTH') . '/' . getmypid() . '.jsonl';
    file_put_contents($file, json_encode($line, JSON_UNESCAPED_SLASHES) . "\n", FILE_APPEND);
}

// nginx's end of the connection that this request came on. PHP does not tell: the system is asked about each descriptor.
function peer(string $listen): string
{
    $c = FFI::cdef('int getsockname(int, void *, unsigned *); int getpeername(int, void *, unsigned *);');
    [$address, $size] = [$c->new('unsigned char[16]'), $c->new('unsigned')];
    $asked = function (string $name, int $descriptor) use ($c, $address, $size): ?string {
        $size->cdata = 16;
        $failed = $c->$name($descriptor, FFI::addr($address), FFI::addr($size));
        $ip = [$address[4], $address[5], $address[6], $address[7]];
        return $failed ? null : implode('.', $ip) . ':' . ($address[2] * 256 + $address[3]);
    };
    for ($descriptor = 1; $descriptor < 64; $descriptor++) {
        if ($asked('getsockname', $descriptor) === $listen && ($peer = $asked('getpeername', $descriptor))) {
            return $peer;
        }
    }
    throw new Exception('no descriptor is the connection of this request');
}

class Call
{
    private $stream;
    private int $start;

    // Asks on the process's connection of this number.
    public function __construct(string $kind, string $token, private ?int $cause, private bool $after, int $connection)
    {
        global $backend;
        $how = STREAM_CLIENT_CONNECT | STREAM_CLIENT_PERSISTENT;
        $this->stream = stream_socket_client("tcp://$backend/$connection", $code, $why, 60, $how);
        $this->start = now();
        fwrite($this->stream, "GET /$kind/$token HTTP/1.1\r\nHost: $backend\r\nX-Item: $token\r\n\r\n");
    }

    // Gives the status.
    public function answer(): int
    {
        global $backend;
        $status = (int) explode(' ', fgets($this->stream))[1];
        $length = 0;
        while (($header = rtrim(fgets($this->stream))) !== '') {
            if (stripos($header, 'content-length:') === 0) {
                $length = (int) substr($header, 15);
            }
        }
        stream_get_contents($this->stream, $length);
        $ends = ['local' => stream_socket_get_name($this->stream, false), 'peer' => $backend];
        note(['cause' => $this->cause, 'after' => $this->after] + $ends + ['start' => $this->start, 'end' => now()]);
        return $status;
    }
}

[$number, $listen] = [now(), getenv('CAUSALITY_INNER')];
$peer = peer($listen);
[, $pattern, $token] = explode('/', $_SERVER['REQUEST_URI']);
$missed = count(array_filter(range(1, CALLS[$pattern]), fn () => random_int(0, 1)));
$ask = fn (string $kind, int $connection = 0) => new Call($kind, $token, $number, false, $connection);

if ($pattern === 'parallel') {
    $calls = array_map(fn ($at) => $ask('item', $at), array_keys(array_fill(0, $missed, null)));
    foreach ($calls as $call) {
        $call->answer();
    }
} elseif ($pattern === 'retry') {
    for ($left = 3 * $missed; $left > 0 && $ask('flaky')->answer() !== 200; $left--) {
    }
} elseif ($pattern !== 'forget') {
    for ($at = 0; $at < $missed; $at++) {
        $ask('item')->answer();
    }
}

header('Content-Type: text/plain');
header('Content-Length: 2');
header("X-Seen: $peer");
echo 'ok';
fastcgi_finish_request();
note(['in' => $number, 'local' => $listen, 'peer' => $peer, 'start' => $number, 'end' => now()]);
if ($pattern === 'forget' && $missed > 0) {
    (new Call('item', $token, $number, true, 0))->answer();
}

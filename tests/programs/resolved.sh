# Comes in: the program of systemd-resolved. Goes out: questions that it answers, of dig, having asked dnsmasq, all on a network
# of their own, with files of their own in /run and /etc; no systemd is needed. Refuses to last: what it starts ends with it.
#
# To be run by `unshare --mount --net`. It ends with 1 where systemd-resolved does not answer.
set -eu
resolved=$1

# It asks nobody while there is no way to the outside.
ip link set lo up
ip link add wirespan0 type veth peer name wirespan1
ip address add 10.213.3.1/24 dev wirespan0
ip link set wirespan0 up
ip link set wirespan1 up
ip route add default via 10.213.3.2

mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/resolve /run/systemd/resolved.conf.d
cat > /run/systemd/resolved.conf.d/test.conf <<END
[Resolve]
DNS=10.213.3.1:5300
FallbackDNS=
Domains=~.
LLMNR=no
MulticastDNS=no
DNSSEC=no
Cache=no
END
# The user that it turns into.
{ cat /etc/passwd; echo 'systemd-resolve:x:996:996::/:/usr/sbin/nologin'; } > /run/passwd
{ cat /etc/group; echo 'systemd-resolve:x:996:'; } > /run/group
mount --bind /run/passwd /etc/passwd
mount --bind /run/group /etc/group
chown -R systemd-resolve:systemd-resolve /run/systemd

dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --pid-file --user=root --port=5300 \
    --bind-interfaces --listen-address=10.213.3.1 --local=/shop.example/ --host-record=ready.shop.example,10.2.2.1 \
    --host-record=host.shop.example,10.2.2.2 --cname=alias.shop.example,host.shop.example &
behind=$!
"$resolved" &
trap 'kill $! $behind' EXIT

ask() { dig @127.0.0.53 +short +tries=1 +time=5 "$@"; }
tries=0
until [ "$(ask ready.shop.example)" = 10.2.2.1 ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 500 ]
done
ask alias.shop.example
ask none.shop.example
ask +tcp host.shop.example

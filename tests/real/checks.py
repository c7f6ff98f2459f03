"""The checks of tests/real/run on single programs: one line or one script each.

A check is a name and steps; a step is a list of words, the first a program of the root file
system. Each check runs in a fresh directory that holds the files of `make_inputs`. Standard
output, exit status and the files left behind must equal what qemu-user gives.
"""

import os
import struct


def make_inputs(folder):
    """Write the input files every check finds: the same bytes on every machine."""
    seed = 1

    def random():
        nonlocal seed
        seed = (seed * 6364136223846793005 + 1442695040888963407) & (1 << 64) - 1
        return seed >> 33

    words = "the guest runs on a host that never saw its registers before and nobody can tell".split()
    lines = [" ".join(words[random() % len(words)] for _ in range(3 + random() % 9)) for _ in range(4000)]
    files = {
        "text": "\n".join(lines) + "\n",
        "numbers": "".join("%d\n" % (random() % 100000 - 50000) for _ in range(5000)),
        "table.csv": "id,name,price,class\n" + "".join(
            "%d,%s-%d,%.2f,%d\n" % (i, words[random() % len(words)], i, random() % 10000 / 100, random() % 7) for i in range(2000)),
        "data.json": '{"items": [%s], "unicode": "gr\\u00fc\\u00df \\ud83d\\ude00", "nested": {"a": [1, 2.5, null, true]}}' % ", ".join(
            '{"id": %d, "value": %d.5, "tag": "%s"}' % (i, random() % 1000, words[i % len(words)]) for i in range(300)),
        "utf8": "Grüße, Straße, naïve, Ελληνικά, Русский, 日本語, emoji 😀\n" * 50,
    }
    for name, content in files.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
            out.write(content)
    with open(os.path.join(folder, "binary"), "wb") as out:
        for i in range(40000):
            out.write(struct.pack("<I", random() if i % 3 else i))


CHECKS = []


def check(name, *steps):
    CHECKS.append((name, steps))


# busybox --------------------------------------------------------------------------------------
BUSYBOX_SCRIPT = r"""
fib() { if [ $1 -lt 2 ]; then r=$1; else local a; fib $(($1 - 1)); a=$r; fib $(($1 - 2)); r=$((a + r)); fi; }
fib 15; echo fib $r
i=0; sum=0
while [ $i -lt 3000 ]; do sum=$(((sum * 31 + i) % 1000003)); i=$((i + 1)); done; echo $sum
for w in alpha beta gamma; do case $w in a*) echo starts with a: $w;; *mm*) echo mm: $w;; *) echo other: ${w#b} ${w%a} ${#w};; esac; done
set -- one two three; shift; echo "$# $*"; echo "${UNSET:-default} ${1:+set}"
(echo in a subshell; exit 3); echo status $?
echo "a:b:c" | while IFS=: read x y z; do echo "$z $y $x"; done
x=$(printf '%s-' 1 2 3); echo "$x"
trap 'echo leaving' EXIT
cat_() { while read -r line; do echo "> $line"; done; }
cat_ <<EOF
here $((6 * 7))
document
EOF
printf '%05d|%-8s|%x|%o\n' 42 left 255 8
"""
check("busybox sh", ["busybox", "sh", "-c", BUSYBOX_SCRIPT])
check("busybox sort", ["busybox", "sort", "-n", "numbers"], ["busybox", "sort", "-r", "-k2", "text"])
check("busybox awk", ["busybox", "awk", "-F,", "NR>1{s[$4]+=$3;n[$4]++} END{for(c=0;c<7;c++)printf \"%d %.3f %d\\n\",c,s[c],n[c]}", "table.csv"])
check("busybox gzip", ["busybox", "gzip", "-k", "text"], ["busybox", "gunzip", "-c", "text.gz"], ["busybox", "zcat", "text.gz"])
check("busybox sha256sum", ["busybox", "sha256sum", "binary", "text"], ["busybox", "sha512sum", "binary"], ["busybox", "md5sum", "text"])
check("busybox grep", ["busybox", "grep", "-n", "-E", "host.*(guest|nobody)$", "text"], ["busybox", "grep", "-c", "registers", "text"])
check("busybox sed", ["busybox", "sed", "-E", "-e", "s/(guest|host)/<\\1>/g", "-e", "2,5d", "-e", "/nobody/!d", "text"])
check("busybox find", ["busybox", "mkdir", "-p", "a/b/c"], ["busybox", "touch", "a/x", "a/b/y"], ["busybox", "find", "a", "-type", "f"])
check("busybox tar", ["busybox", "tar", "-cf", "t.tar", "text", "binary", "numbers"], ["busybox", "tar", "-tf", "t.tar"], ["busybox", "rm", "t.tar"])
check("busybox od", ["busybox", "od", "-A", "x", "-t", "x4", "binary"], ["busybox", "hexdump", "-C", "-n", "256", "binary"])
check("busybox misc", ["busybox", "wc", "text", "utf8"], ["busybox", "tr", "a-z", "A-Z"], ["busybox", "cut", "-d,", "-f2,3", "table.csv"],
      ["busybox", "uniq", "-c", "numbers"], ["busybox", "expr", "17", "*", "3"], ["busybox", "factor", "1234567890123"], ["busybox", "false"])
check("busybox bc and dc", ["busybox", "dc", "-e", "2 200 ^ p 3 k 2 v p"], ["busybox", "seq", "1", "7", "60"])

# Shells ---------------------------------------------------------------------------------------
check("bash arithmetic", ["bash", "-c", r"""
a=5 b=3; echo $((a**b)) $((a<<b)) $((-7/2)) $((-7%2)) $((a>b?a:b)) $((0x1f + 017 + 2#101)) $((~a ^ b)) $(( 9223372036854775807 + 1 ))
for ((i = 0, s = 0; i < 5000; i++)); do ((s = (s * 33 + i) & 0xffffff)); done; echo $s
let c=a*b+1; echo $c; echo $((1/0)); echo after $?
"""])
check("bash arrays", ["bash", "-c", r"""
a=(one two "three four" five); echo ${#a[@]} "${a[2]}" "${a[@]:1:2}" "${!a[@]}"
a+=(six); unset 'a[1]'; printf '<%s>' "${a[@]}"; echo
declare -A m=([x]=1 [yy]=2 [zzz]=3); for k in x yy zzz; do echo "$k=${m[$k]}"; done; echo ${#m[@]}
mapfile -t lines < numbers; echo ${#lines[@]} ${lines[4999]}
b=("${lines[@]:0:50}"); for ((i=0;i<${#b[@]};i++)); do for ((j=i+1;j<${#b[@]};j++)); do
  if ((b[j] < b[i])); then t=${b[i]}; b[i]=${b[j]}; b[j]=$t; fi; done; done; echo "${b[@]}"
"""])
check("bash expansions", ["bash", "-c", r"""
s="Hello, World"; echo ${s,,} ${s^^} ${s/World/Guest} ${s//o/0} ${s:7} ${s: -5:3} ${s#*,} ${s%%,*} ${#s}
echo {a..e}{1..3} {10..1..3}; echo $'tab\there' "$(printf '%q' 'a b$c')"; printf '%(%Y-%m-%d)T\n' 86400
[[ $s =~ ^([A-Z][a-z]+),\ (.*)$ ]] && echo "${BASH_REMATCH[1]}|${BASH_REMATCH[2]}"; [[ abc == a*c && ! -e nowhere ]] && echo yes
shopt -s extglob; x="foo123bar"; echo ${x//+([0-9])/-}; v=name; name=value; echo ${!v} ${name@Q}
read -r first rest <<< "one two three"; echo "$rest|$first"; IFS=, read -ra f <<< "a,b,,d"; echo ${#f[@]}
"""])
check("bash traps", ["bash", "-c", r"""
trap 'echo caught USR1' USR1; kill -USR1 $$; echo after
trap 'echo exit status $?' EXIT; trap 'echo error on line $LINENO' ERR; false; (exit 4); echo "sub $?"
f() { trap 'echo return' RETURN; local x=1; return 7; }; f; echo $?; trap - ERR
(trap 'echo sub term; exit 9' TERM; kill -TERM $BASHPID; echo not reached); echo $?
set -e; exit 5
"""])
check("bash here-documents and functions", ["bash", "-c", r"""
name=world; while read -r l; do echo "[$l]"; done <<EOF
hello $name $((1+2)) $(echo nested)
EOF
while read -r l; do echo "[$l]"; done <<'EOF'
raw $name $((1+2))
EOF
hanoi() { (($1 == 0)) && return; hanoi $(($1-1)) $2 $4 $3; ((moves++)); hanoi $(($1-1)) $4 $3 $2; }; moves=0; hanoi 8 a b c; echo $moves
echo start | { read x; echo "got $x"; }; x=$(for i in 1 2 3; do echo $i; done | while read n; do echo $((n*n)); done); echo $x
exec 3>out; echo to file >&3; exec 3>&-; echo "$(<out)"; coproc { read q; echo "answer $q"; }; echo 42 >&${COPROC[1]}; read r <&${COPROC[0]}; echo "$r"
diff=$(test -f text && echo file); echo $diff; { echo err >&2; } 2>&1; ulimit -c 0; umask 027; umask; type echo; wait; echo done
"""])
check("bash jobs", ["bash", "-c", r"""
for i in 1 2 3; do (exit $i) & p[$i]=$!; done; for i in 1 2 3; do wait ${p[$i]}; echo $?; done
(kill -KILL $BASHPID) ; echo $?; (kill -SEGV $BASHPID) 2>/dev/null; echo $?; echo a | (read x; exit 6) | true; echo ${PIPESTATUS[@]}
"""])
check("dash", ["dash", "-c", BUSYBOX_SCRIPT])

# coreutils ------------------------------------------------------------------------------------
check("sort", ["sort", "-n", "numbers"], ["sort", "-t,", "-k4,4n", "-k3,3gr", "table.csv"], ["sort", "-u", "--parallel=1", "text"])
check("checksums", ["sha256sum", "binary", "text"], ["sha1sum", "binary"], ["sha512sum", "binary"], ["md5sum", "text"], ["b2sum", "binary"], ["cksum", "binary"], ["sum", "binary"])
check("cut, paste, join", ["cut", "-d,", "-f1,3-", "table.csv"], ["paste", "-d:", "numbers", "text"], ["join", "-t,", "table.csv", "table.csv"])
check("od and base64", ["od", "-A", "d", "-t", "x1z", "-N", "2000", "binary"], ["od", "-t", "fD", "-N", "800", "binary"], ["base64", "binary"], ["base32", "text"])
check("head, tail, nl, fold", ["head", "-n", "20", "text"], ["tail", "-c", "777", "binary"], ["nl", "text"], ["fold", "-s", "-w", "30", "text"], ["tac", "numbers"])
check("tr, expand, fmt, pr", ["fmt", "-w", "50", "text"], ["expand", "-t", "4", "text"], ["unexpand", "-a", "text"], ["pr", "-h", "title", "-D", "date", "-l", "40", "text"])
check("wc, uniq, comm", ["wc", "text", "utf8", "binary"], ["uniq", "-c", "text"], ["comm", "text", "text"], ["tsort", "numbers"])
check("seq, factor, numfmt, expr", ["seq", "-f", "%.3f", "0", "0.05", "3"], ["factor", "9223372036854775807", "600851475143"],
      ["numfmt", "--to=iec", "123456789", "1000"], ["expr", "substr", "abcdef", "2", "3"], ["printf", "%08.3f|%+d|%s\\n", "3.14159", "42", "x"])
check("files", ["mkdir", "-p", "d/e"], ["cp", "-p", "text", "d/e/copy"], ["ln", "-s", "../text", "d/link"], ["readlink", "d/link"], ["mv", "d/e/copy", "d/moved"],
      ["ls", "-1F", "d"], ["chmod", "640", "d/moved"], ["stat", "-c", "%a %s %F", "d/moved"], ["truncate", "-s", "100", "d/moved"], ["du", "-b", "d/moved"],
      ["rm", "-r", "d/e"], ["rmdir", "nowhere"], ["dd", "if=binary", "of=part", "bs=1000", "skip=3", "count=5", "status=none"], ["split", "-n", "3", "text", "piece-"],
      ["csplit", "-s", "text", "100"], ["touch", "-d", "2001-02-03 04:05:06", "d/t"], ["date", "-r", "d/t", "+%s %A"], ["ls", "-l", "--time-style=+%s", "-n", "-o", "-g", "d/t"])
check("date and test", ["date", "-u", "-d", "@1234567890", "+%F %T %j %U"], ["date", "-d", "2024-02-29 + 1 year", "+%F"], ["test", "-s", "text"], ["test", "1", "-gt", "2"], ["basename", "/a/b.c", ".c"],
      ["realpath", "--relative-to=/usr", "/usr/bin"], ["true"], ["false"], ["nproc", "--ignore=1000"], ["echo", "-e", "a\\tb"], ["shuf", "-i", "1-10", "--random-source=binary"])

# Text tools -----------------------------------------------------------------------------------
check("gawk", ["gawk", "-F,", "NR>1{s[$4]+=$3; l=length($2)>l?length($2):l} END{n=asorti(s,k); for(i=1;i<=n;i++) printf \"%s %.4f\\n\", k[i], s[k[i]]; print l, sqrt(2), exp(1), atan2(0,-1), sin(1), log(10), int(-3.7), 2**0.5}", "table.csv"],
      ["gawk", "{ while (match($0, /[aeiou]+[^aeiou ]/)) { c[substr($0,RSTART,RLENGTH)]++; $0=substr($0,RSTART+RLENGTH) } } END { PROCINFO[\"sorted_in\"]=\"@ind_str_asc\"; for (k in c) print k, c[k] }", "text"],
      ["gawk", "BEGIN { for (i=0;i<20000;i++) s = (s*1103515245+12345) % 2147483648; print s; print strftime(\"%F\", 0, 1), toupper(\"abc\"), sprintf(\"%c%5.2e\", 65, 12345.678); print gensub(/(a)(b)/, \"\\\\2\\\\1\", \"g\", \"abab\") }"])
check("mawk", ["mawk", "{n[$1]++} END{for(w in n) t+=n[w]*length(w); print t}", "text"], ["mawk", "BEGIN{x=0.5; for(i=0;i<20000;i++) x=3.7*x*(1-x); print x}"])
check("sed", ["sed", "-n", "-E", "/guest/{s/([a-z]+) ([a-z]+)/\\2 \\1/;H;x;s/\\n/,/g;x;p}", "text"], ["sed", "-E", ":a;s/(.*)host(.*)/\\1HOST\\2/;ta;y/abc/xyz/;$!N;P;D", "text"], ["sed", "-i.bak", "s/the/THE/2", "text"])
check("grep", ["grep", "-n", "-E", "(the|a) (guest|host).*before$", "text"], ["grep", "-c", "-i", "NOBODY", "text"], ["grep", "-o", "-P", "(?<=its )\\w+(?= before)", "text"],
      ["grep", "-v", "-w", "on", "text"], ["grep", "-a", "-b", "-o", "[a-z]\\{4,\\}", "binary"], ["grep", "-F", "-x", "-f", "numbers", "numbers"], ["grep", "Ελλ", "utf8"], ["grep", "absent", "text"])
check("find", ["mkdir", "-p", "p/q/r"], ["cp", "text", "numbers", "p/q"], ["find", "p", "-name", "*e*", "-size", "+1k", "-printf", "%f %s %d\\n"], ["find", ".", "-newer", "/nowhere"], ["find", "p", "-type", "d", "-empty"])
check("diff", ["cp", "text", "changed"], ["sed", "-i", "-e", "10d", "-e", "20s/the/THE/", "-e", "300a new line", "changed"], ["diff", "--label", "a", "--label", "b", "-u", "text", "changed"], ["diff", "-y", "-W", "100", "--suppress-common-lines", "text", "changed"], ["cmp", "text", "changed"], ["diff", "-q", "text", "text"])
check("patch", ["cp", "text", "changed"], ["sed", "-i", "5s/^/changed /", "changed"], ["busybox", "sh", "-c", "printf -- '--- text\\n+++ text\\n@@ -1,1 +1,2 @@\\n+new\\n' > p; read l < text; echo \" $l\" >> p"], ["patch", "-s", "text", "p"])
check("bc", ["busybox", "sh", "-c", "printf 'scale=60; 4*a(1); e(1); sqrt(2); 2^500\ndefine f(n) {\n if (n<2) return (1); return (n*f(n-1));\n}\nf(60); ibase=16; FF*FF; quit\n' > in"], ["bc", "-l", "-q", "in"])
check("dc", ["dc", "-e", "[la1+dsa*pla60>y]sy 0sa1 lyx 50k 2v p 3 1000 ^ 7 % p 16o 123456789 p"])
check("m4", ["busybox", "sh", "-c", """cat > y <<'EOF'
define(fact, `ifelse($1, 0, 1, `eval($1 * fact(decr($1)))')')dnl
define(`forloop', `pushdef(`$1', `$2')_forloop(`$1', `$2', `$3', `$4')popdef(`$1')')dnl
define(`_forloop', `$4`'ifelse($1, `$3', , `define(`$1', incr($1))_forloop(`$1', `$2', `$3', `$4')')')dnl
fact(12) len(abcdef) translit(hello, a-z, A-Z) format(`%05d', 42) N
forloop(`i', 1, 50, `eval(i * i) ') substr(abcdef, 2, 3) index(abcdef, cd) regexp(`GNUs not Unix', `\\w(\\w+)$', `\\1')
divert(1)later
divert(0)sooner
EOF
"""], ["m4", "-DN=12", "y"])
check("jq", ["jq", ".items | map(select(.value > 500)) | group_by(.tag) | map({tag: .[0].tag, n: length, sum: (map(.value) | add)})", "data.json"],
      ["jq", "-r", "[.items[] | .value] | (add / length), (sort | .[10:15] | @csv), min, max, (map(sqrt) | add | floor)", "data.json"], ["jq", "-c", ".unicode, .nested, (.unicode | explode), (\"a,b\" | split(\",\")), (now | type)", "data.json"], ["jq", "-n", "1 | [limit(20; recurse(. * 2 + 1; . < 1e300))] | length, ([range(1000)] | map(. * .) | add), (\"x1y22\" | [scan(\"[0-9]+\")])"], ["jq", ".", "text"])
check("column, rev, hexdump", ["column", "-s,", "-t", "table.csv"], ["rev", "text"], ["hexdump", "-C", "-n", "600", "binary"])
check("file", ["file", "-b", "text", "binary", "data.json"])

# Compressors ----------------------------------------------------------------------------------
for program, options in [("gzip", ["-1", "-9"]), ("bzip2", ["-1", "-9"]), ("xz", ["-0", "-6", "-e3"]), ("zstd", ["-1", "-9", "-19"])]:
    for option in options:
        level = [option] if option != "-e3" else ["-3", "-e", "--check=sha256"]
        extension = {"gzip": "gz", "bzip2": "bz2", "xz": "xz", "zstd": "zst"}[program]
        single = {"xz": ["-T1"], "zstd": ["--single-thread", "-q"]}.get(program, [])
        name = {"gzip": ["-n"]}.get(program, [])
        check(program + " " + option, [program, *single, *name, *level, "-k", "text", "binary"], [program, "-t", *(["-q"] if program == "zstd" else []), "text." + extension, "binary." + extension],
              [program, "-d", "-c", *(["-q"] if program == "zstd" else []), "binary." + extension])
check("gzip damaged", ["gzip", "-n", "-k", "text"], ["truncate", "-s", "1000", "text.gz"], ["gzip", "-t", "text.gz"], ["xz", "-t", "text"], ["bzip2", "-t", "text"], ["zstd", "-q", "-t", "text"])
check("7zip 7z", ["../lib/7zip/7z", "a", "-bso0", "-bsp0", "-mmt=off", "-mtm=off", "-mtc=off", "-mta=off", "-mtr=off", "x.7z", "text", "binary"], ["../lib/7zip/7z", "x", "-bso0", "-bsp0", "-mmt=off", "-ooutput", "x.7z"], ["cmp", "text", "output/text"], ["cmp", "binary", "output/binary"], ["rm", "-r", "output"])
check("7zip zip", ["../lib/7zip/7z", "a", "-tzip", "-bso0", "-bsp0", "-mmt=off", "x.zip", "text", "binary"], ["../lib/7zip/7z", "t", "-bso0", "-bsp0", "x.zip"], ["unzip", "-p", "x.zip", "text"], ["rm", "x.zip"])
check("tar and cpio", ["tar", "--mtime=@0", "--owner=0", "--group=0", "--mode=644", "-cf", "x.tar", "text", "binary", "utf8"], ["tar", "-tf", "x.tar"], ["mkdir", "o"], ["tar", "-xf", "x.tar", "-C", "o"], ["cmp", "o/text", "text"])

# openssl --------------------------------------------------------------------------------------
check("openssl dgst", *[["openssl", "dgst", "-" + d, "binary", "text"] for d in ("sha256", "sha512", "sha3-256", "md5", "blake2b512", "sm3", "ripemd160", "sha1")], ["openssl", "dgst", "-sha256", "-hmac", "key", "text"])
check("openssl enc", *[s for c in ("aes-128-cbc", "aes-256-ctr", "chacha20", "camellia-256-cbc", "aria-128-cbc", "sm4-cbc") for s in (
    ["openssl", "enc", "-" + c, "-K", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"[:32 if "128" in c or "sm4" in c else 64], "-iv", "0f0e0d0c0b0a09080706050403020100", "-in", "binary", "-out", c],
    ["openssl", "enc", "-d", "-" + c, "-K", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"[:32 if "128" in c or "sm4" in c else 64], "-iv", "0f0e0d0c0b0a09080706050403020100", "-in", c, "-out", c + ".plain"], ["cmp", "binary", c + ".plain"])])
check("openssl pbkdf2", ["openssl", "enc", "-aes-256-cbc", "-pbkdf2", "-iter", "2000", "-S", "0011223344556677", "-pass", "pass:secret", "-in", "text", "-out", "e"], ["openssl", "base64", "-in", "binary"], ["openssl", "passwd", "-6", "-salt", "salt", "word"], ["openssl", "prime", "-generate", "-bits", "8", "-hex"][:2] + ["600851475143", "1000000007"])
check("openssl keys", ["openssl", "genrsa", "-out", "key.pem", "1024"], ["openssl", "rsa", "-in", "key.pem", "-check", "-noout"], ["openssl", "dgst", "-sha256", "-sign", "key.pem", "-out", "sig", "text"], ["openssl", "dgst", "-sha256", "-prverify", "key.pem", "-signature", "sig", "text"],
      ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "ec.pem"], ["openssl", "dgst", "-sha256", "-sign", "ec.pem", "-out", "ecsig", "text"], ["openssl", "dgst", "-sha256", "-prverify", "ec.pem", "-signature", "ecsig", "text"], ["rm", "key.pem", "sig", "ec.pem", "ecsig"])
check("openssl speed", ["busybox", "sh", "-c", ": > marker"], ["openssl", "speed", "-seconds", "1", "-bytes", "1024", "sha256"], ["openssl", "speed", "-seconds", "1", "-bytes", "1024", "-evp", "aes-128-gcm"])

# sqlite3 --------------------------------------------------------------------------------------
check("sqlite3 queries", ["sqlite3", ":memory:", """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<5000) SELECT count(*), sum(i*i%97), total(1.0/i) FROM n;
CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c REAL); INSERT INTO t(b,c) VALUES('x',1.5),('y',-2.25),(NULL,1e300),('ünï',0.1);
SELECT *, typeof(b), length(b), hex(b), upper(b) FROM t ORDER BY c; SELECT group_concat(b,'|'), avg(c), max(b) FROM t;
SELECT printf('%.17g %d %s %x', 0.1, 9223372036854775807, 'str', 255), round(2.5), abs(-7), substr('abcdef',2,3), instr('hello','l'), replace('aXb','X','--'), 7/2, 7%3, 1<<40, ~5;
SELECT date(0,'unixepoch'), strftime('%j %W',1234567890,'unixepoch'), julianday('2000-01-01'); SELECT json_extract('{"a":[1,2,{"b":3}]}','$.a[2].b'), json_group_array(a) FROM t;
SELECT a, b, rank() OVER (ORDER BY c DESC), sum(a) OVER (ORDER BY a ROWS 1 PRECEDING) FROM t; SELECT 'abc' LIKE 'A%', 'abc' GLOB 'a*', x'0102' = x'0102', NULL IS NULL, CASE 3 WHEN 3 THEN 'three' END;
SELECT sqrt(2), pow(2,0.5), ln(10), sin(1), exp(1), pi();"""])
check("sqlite3 file", ["sqlite3", "test.db", ".mode csv", ".import table.csv items", "CREATE INDEX i ON items(class); SELECT class, count(*), printf('%.3f', sum(price)) FROM items GROUP BY class; UPDATE items SET price = price * 2 WHERE class = '3'; DELETE FROM items WHERE id % 5 = 0; BEGIN; INSERT INTO items SELECT * FROM items; ROLLBACK; SELECT count(*) FROM items; VACUUM; PRAGMA integrity_check;"],
      ["sqlite3", "test.db", "SELECT sum(price) > 0, max(length(name)) FROM items; EXPLAIN QUERY PLAN SELECT * FROM items WHERE class = 3;", ".dump"], ["rm", "test.db"])
check("sqlite3 errors", ["sqlite3", ":memory:", "SELECT * FROM nowhere;"], ["sqlite3", ":memory:", "CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES(1); INSERT INTO t VALUES(1);"], ["sqlite3", "text", "SELECT 1 FROM sqlite_schema;"])
check("sqlite3 full text", ["sqlite3", ":memory:", "CREATE VIRTUAL TABLE f USING fts5(l);", ".mode ascii", ".import text f", ".mode list", "SELECT count(*) FROM f WHERE f MATCH 'guest AND host'; SELECT rowid, snippet(f,0,'<','>','..',5) FROM f WHERE f MATCH 'nobody NEAR registers' ORDER BY rowid LIMIT 20; CREATE VIRTUAL TABLE r USING rtree(i,x0,x1); INSERT INTO r VALUES(1,0,1),(2,5,6); SELECT i FROM r WHERE x1<3;"])

# Lua ------------------------------------------------------------------------------------------
check("lua language", ["lua5.4", "-e", r"""
local function f(n) if n < 2 then return n end return f(n-1) + f(n-2) end print(f(20))
local mt = {__add = function(a, b) return {v = a.v + b.v} end, __index = function(t, k) return k .. "!" end, __tostring = function(t) return "obj" end, __lt = function(a, b) return a.v < b.v end, __close = function() print("closed") end}
local a, b = setmetatable({v=1}, mt), setmetatable({v=2}, mt); print((a+b).v, a.foo, tostring(a), a < b)
local co = coroutine.wrap(function(...) local x = ... for i = 1, 3 do x = coroutine.yield(x * i) end return "end" end) print(co(2), co(3), co(4), co(5))
print(pcall(error, {code = 1}), select("#", pcall(error)), pcall(function() local x = nil; return x.y end))
do local c <close> = setmetatable({}, mt) end for i = 3, 1, -1 do goto continue; print("no") ::continue:: end
print(7 // 2, -7 // 2, 7 % -3, 7.5 // 2, 2^53, 1 << 62, ~0, 3 | 4, 10 / 2, math.maxinteger + 1 == math.mininteger, 0x7fffffffffffffff // -1)
print(string.format("%5.2f %d %s %q %x %g %a", 3.14159, 42, "s", "q\n", 255, 1e20, 0.5), math.type(1), math.type(1.0), 1e15, 1e100, -0.0, 1/0, 0/0 ~= 0/0)"""])
check("lua library", ["lua5.4", "-e", r"""
local t = {} for l in io.lines("numbers") do t[#t+1] = tonumber(l) end table.sort(t) print(#t, t[1], t[#t], t[2500])
local s = io.open("text"):read("a") local n, w = 0, {} for x in s:gmatch("%a+") do w[x] = (w[x] or 0) + 1 n = n + 1 end local k = {} for x in pairs(w) do k[#k+1] = x end table.sort(k) for _, x in ipairs(k) do print(x, w[x]) end print(n)
print(("hello world"):gsub("o", {o = "0"}), ("x=1, y=2"):match("y=(%d)"), ("abc"):rep(3, "-"), ("abc"):byte(1, -1), ("%d"):format(3.0), #("grüße"), utf8.len("grüße"), utf8.char(8364, 128512))
print(string.pack("<i4d", 7, 1.5):byte(1, -1)) print(string.unpack("<i4d", string.pack("<i4d", 7, 1.5))) print(table.concat({1, 2, 3}, ","), table.unpack({1, 2, 3}, 2)) print(math.floor(-3.5), math.sqrt(2), math.sin(1), math.exp(1), math.log(8, 2), math.fmod(-7, 3), math.ult(1, -1))
print(os.date("!%Y-%m-%d %H:%M:%S", 1e9), os.time({year=2000, month=1, day=1, hour=12}), load("return 1 + 1")(), #arg, next({})) print(string.dump(function() end):sub(1, 4)) print(tostring(1e308 * 10), 2^-1074, 123456789012345678)"""])
check("lua collector", ["lua5.4", "-e", r"""
local weak = setmetatable({}, {__mode = "k"}) local finals = 0 for i = 1, 20000 do local o = setmetatable({i}, {__gc = function() finals = finals + 1 end}) weak[o] = i end
collectgarbage() collectgarbage() local left = 0 for _ in pairs(weak) do left = left + 1 end print(finals, left) collectgarbage("generational") local s = {} for i = 1, 200000 do s[i % 100] = {i, tostring(i)} end print(#s, s[50][2]) print(pcall(string.rep, "x", 1 << 40)) local function deep(n) return n == 0 and 0 or 1 + deep(n - 1) end print(deep(10000), pcall(deep, 1e7))"""])

# Perl -----------------------------------------------------------------------------------------
check("perl regex", ["perl", "-e", r"""
my $t = join '', map { "line $_: key$_=value" . $_*$_ . "\n" } 1..200; my %h = $t =~ /(key\d+)=(\w+)/g; print scalar(keys %h), " $h{key77}\n";
(my $u = $t) =~ s/(\d+)/sprintf "%03x", $1 % 4096/ge; print length $u, "\n"; print join('|', split /\s*,\s*/, "a , b,c ,d"), "\n"; print "nested: $1\n" if "f(a(b)c(d(e)))" =~ /(\((?:[^()]++|(?1))*\))/;
print "named $+{year}\n" if "on 2024-05-06" =~ /(?<year>\d{4})-(?<m>\d\d)/; print join(',', "aAbBcC" =~ /[[:upper:]]/g), "\n"; print "look\n" if "foobar" =~ /foo(?=bar)(?!baz)/; my @w = sort { $a <=> $b } map { length } "the quick brown" =~ /\w+/g; print "@w\n"; $_ = "hello"; tr/a-y/b-z/; print "$_\n"; print "x" x 3, "-" , reverse("abc") . "", "\n"; use utf8; print length("grüße"), "\n"; print join(" ", map { sprintf "%s", pos($t) // 'u' } 1..2), "\n" """])
check("perl sprintf", ["perl", "-e", r"""printf "%s|%5d|%-5d|%05d|%+d|%x|%X|%o|%b|%e|%g|%.3f|%10.4s|%c|%%|%v d\n", "str", 42, 42, 42, 42, 255, 255, 8, 10, 12345.678, 0.0001234, 3.14159, "truncated", 65, "1.22.333"; print 0.1+0.2, " ", 1e21, " ", 1/3, " ", 2**63, " ", -7 % 3, " ", int(-3.7), " ", 10/3, " ", 9**20, " ", 0xff, " ", 1_000_000, " ", "10" + "20", " ", "3 apples" * 2, " ", 1 <=> 2, " ", "a" lt "b", " ", ~0, " ", 1 << 40, "\n"; print join(",", map { sprintf "%.15g", $_ } sqrt 2, sin 1, cos 1, exp 1, log 10, atan2(1,1)*4), "\n"; print 18446744073709551615 + 1, " ", 9223372036854775807 + 1, " ", -17 / 4, " ", 1e308 * 10, " ", 9**9**9 - 9**9**9, "\n"; """])
check("perl sort and hashes", ["perl", "-e", r"""open F, "<", "numbers" or die; my @n = <F>; chomp @n; my @s = sort { $a <=> $b } @n; print "$s[0] $s[-1] $s[2500]\n"; my @l = sort @n; print "$l[0] $l[-1]\n"; my %c; $c{$_ % 13}++ for @n; print join(",", map { "$_=$c{$_}" } sort { $a <=> $b } keys %c), "\n"; my @d = map { { k => $_, v => $_ * 7 % 31 } } 1..50; print join(" ", map { $_->{k} } sort { $a->{v} <=> $b->{v} or $b->{k} <=> $a->{k} } @d), "\n"; my @st = (1..10); print "@st[2..4] ", join(":", splice(@st, 1, 3)), " @st ", scalar(@st), " $#st\n"; my %i = reverse (a => 1, b => 2); print join(",", map {"$_$i{$_}"} sort keys %i), "\n"; print wantarray() // 'undef', " ", exists $i{1} ? 1 : 0, " ", delete $i{1}, "\n"; """])
check("perl closures, objects, eval", ["perl", "-e", r"""package Counter; sub new { my ($c, %a) = @_; bless { n => $a{start} // 0 }, $c } sub inc { my $s = shift; $s->{n} += shift // 1; $s } sub DESTROY { print "destroyed $_[0]{n}\n" } package Sub; our @ISA = 'Counter'; sub inc { my $s = shift; $s->SUPER::inc(10) } package main; { my $o = Sub->new(start => 5); $o->inc->inc; print $o->{n}, " ", ref $o, " ", $o->isa('Counter'), " ", $o->can('inc') ? 1 : 0, "\n"; } my @f = map { my $x = $_; sub { $x += shift } } 1..3; print join(",", map { $_->(10) } @f), "\n"; eval { die { code => 7 } }; print "code $@->{code}\n"; eval { my $x = 1 / 0; }; print $@; local $SIG{__WARN__} = sub { print "warn: $_[0]" }; warn "careful\n"; local $SIG{ALRM} = sub { die "alarm\n" }; eval { alarm 1; 1 while 1; }; print $@; print eval "2 + 3 * 4", "\n"; sub fact { my $n = shift; $n < 2 ? 1 : $n * fact($n - 1) } print fact(20), "\n"; my $s = ''; for my $i (1..100) { next if $i % 3; last if $i > 50; $s .= chr(64 + $i % 26) } print "$s\n"; printf "%s\n", join ",", unpack("C*", pack("NnvVd>", 1, 2, 3, 4, 1.5)); print ucfirst lc "HELLO", " ", index("hello", "l"), " ", substr("hello", 1, 3), " ", sprintf("%vd", "1.2.3"), "\n"; """])
check("perl modules", ["perl", "-Mstrict", "-Mwarnings", "-MList::Util=sum,max,shuffle,reduce", "-MPOSIX=floor,strftime,fmod", "-MData::Dumper", "-MDigest::SHA=sha256_hex", "-MMIME::Base64", "-MTime::Local", "-MScalar::Util=looks_like_number", "-MStorable=dclone", "-MEncode", "-MMath::BigInt", "-MJSON::PP", "-e", r"""$Data::Dumper::Sortkeys = 1; print sum(1..100), " ", max(3, 9, 2), " ", reduce { $a * $b } 1..10; print "\n", floor(-3.5), " ", strftime("%F", gmtime 86400), " ", fmod(7, 3), "\n"; print Dumper({ a => [1, 2, { b => undef }], c => \"x" }); print sha256_hex("abc"), " ", encode_base64("hello world"), timegm(0, 0, 0, 1, 0, 100), "\n"; my $d = dclone({ x => [1, 2] }); print $d->{x}[1], " ", looks_like_number("1e5") ? 1 : 0, "\n"; print length(decode("UTF-8", "gr\xc3\xbc\xc3\x9fe")), " ", Math::BigInt->new("2")->bpow(200), "\n"; print JSON::PP->new->canonical->encode({ a => [1, "two", undef], b => { c => 1.5 } }), "\n"; """])
check("perl fork and pipes", ["perl", "-e", r"""$| = 1; pipe(R, W); my $p = fork // die; if (!$p) { close R; print W "from child $_\n" for 1..3; exit 7 } close W; print while <R>; waitpid $p, 0; print $? >> 8, "\n"; $SIG{USR1} = sub { print "usr1\n" }; kill USR1 => $$; $SIG{CHLD} = sub { print "chld\n" }; my $q = fork // die; if (!$q) { exit 0 } 1 while waitpid($q, 0) == -1; print -s "text", " ", -d "." ? 1 : 0, "\n"; opendir D, "."; print join(",", sort grep { !/^\./ } readdir D), "\n"; open F, "+>", "f" or die; print F "abc\ndef\n"; seek F, 4, 0; print scalar <F>; close F; rename "f", "g"; print -e "g" ? "g\n" : "no\n"; unlink "g"; mkdir "dd"; rmdir "dd"; kill KILL => $$; """])

# tcl, ruby, guile, make -------------------------------------------------------------------------
check("tcl", ["busybox", "sh", "-c", "cat > t.tcl <<'EOF'\nproc fib n {expr {$n<2?$n:[fib [expr $n-1]]+[fib [expr $n-2]]}}\nputs [fib 15]\nset d [dict create a 1 b 2]; dict for {k v} $d {puts $k=$v}\nputs [lsort -integer {5 3 10 1}] ; puts [string toupper abc][regexp -inline {\\d+} ab123]\nputs [expr {2**100}] ; puts [expr {sqrt(2)}] ; puts [format %08.3f 3.14159] ; puts [clock format 0 -gmt 1 -format %Y]\ncatch {error boom} m; puts $m; puts [lmap x {1 2 3} {expr $x*$x}]\nset f [open numbers]; set s 0; while {[gets $f l]>=0} {incr s $l}; puts $s\nEOF"], ["tclsh8.6", "t.tcl"])
check("ruby", ["ruby", "--disable-gems", "-e", r"""def fib(n) n < 2 ? n : fib(n-1) + fib(n-2) end; puts fib(18); puts (1..20).select(&:even?).map { |x| x * x }.inject(:+); h = Hash.new(0); File.foreach("text") { |l| l.split.each { |w| h[w] += 1 } }; h.sort.each { |k, v| puts "#{k} #{v}" }; puts 2**200, 10.fdiv(3), 0.1 + 0.2, Rational(1, 3) + 1, Complex(1, 2) * 2, "%05.2f|%x" % [3.14159, 255]; puts "grüße".length, "abc".succ, "hello"[1..3], "a-b_c".tr("-_", "  ").split.inspect; begin; raise ArgumentError, "bad"; rescue => e; puts e.class, e.message; end; f = Fiber.new { |x| y = Fiber.yield x * 2; y + 1 }; puts f.resume(5), f.resume(7); puts [3, 1, 2].sort_by { |x| -x }.inspect, :sym.to_proc.call("x") rescue puts "nomethod"; puts [1, [2, [3]]].flatten.inspect, "x=1;y=2".scan(/(\w)=(\d)/).inspect; puts Time.at(0).utc.strftime("%F"); puts ObjectSpace.count_objects.key?(:TOTAL); def m(*a, k: 1, &b) = b.call(a.sum * k); puts m(1, 2, k: 3) { |x| x + 1 }"""])
check("guile", ["guile-3.0", "--no-auto-compile", "-c", "(define (fib n) (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2))))) (display (fib 18)) (newline) (display (expt 2 200)) (newline) (display (map (lambda (x) (* x x)) '(1 2 3))) (display (call/cc (lambda (k) (+ 1 (k 42))))) (newline) (display (/ 1 3)) (display (sqrt -4)) (display (exact->inexact 22/7)) (newline)"])
check("make", ["busybox", "sh", "-c", "printf 'X := $(foreach i,1 2 3,<$(i)>)\\nall:\\n\\t@:\\n$(info $(X) $(words a b c) $(subst a,b,banana) $(sort c a b) $(if $(filter x%%,xy z),yes))\\n' > Makefile"], ["make", "-n"])

# Python ---------------------------------------------------------------------------------------
PYTHON = {
    "json and re": r"""
import json, re, collections
d = json.load(open('data.json')); print(len(d['items']), d['unicode'], json.dumps(d['nested'], sort_keys=True), sum(i['value'] for i in d['items']))
t = open('text').read(); print(len(re.findall(r'\b(\w)\w*\1\b', t)), re.sub(r'(?P<a>guest)\s(?P<b>\w+)', r'\g<b> \g<a>', t)[:300]); print(collections.Counter(t.split()).most_common(5))
print(re.split(r'[,;]\s*', 'a, b;c,d'), re.match(r'(?i)HELLO (?!x)(.*?)$', 'hello world').groups(), [m.span() for m in re.finditer('ab+', 'abbb ab')])
for bad in ('{', '[1,]', 'nul', '"\x01"'):
    try: json.loads(bad)
    except ValueError as e: print(e)""",
    "numbers": r"""
import math, decimal, fractions, random, statistics, cmath
for x in (0.1, 1/3, 1e22, 1e-7, 123456789.123, 5e-324, 1.7976931348623157e308, -0.0, float('inf'), float('nan'), 2.5, 1e16): print(repr(x), x.hex(), f'{x:.3g} {x:e}')
print(2**1000 % 10**9, -7 // 2, -7 % 3, divmod(7, -2), 10**30 // 7, pow(3, 1000, 10**9 + 7), round(2.5), round(-3.567, 2), int('ff', 16), (255).to_bytes(4, 'big'), (10**50).bit_length())
decimal.getcontext().prec = 60; D = decimal.Decimal; print(D(2).sqrt(), D(1) / D(7), D('1.1') + D('2.2'), D(10).ln(), D('123.456').quantize(D('0.01')))
print(fractions.Fraction(3, 7) + fractions.Fraction(1, 3), statistics.stdev([1, 2, 4, 8]), cmath.sqrt(-2 + 1j)); random.seed(42); print([random.random() for _ in range(5)], random.sample(range(100), 5), random.gauss(0, 1))
print([getattr(math, f)(0.7) for f in 'sin cos tan asin acos atan sinh cosh tanh exp expm1 log1p sqrt cbrt erf erfc gamma lgamma floor ceil trunc'.split()], math.fsum([.1] * 10), math.gcd(84, 36), math.comb(50, 25), math.isqrt(10**40), math.nextafter(1, 2), math.ulp(1.0), math.fma(2.0, 3.0, 4.0), math.frexp(10.0), math.modf(-3.7), math.remainder(10, 3), math.copysign(3, -0.0))
x = 0.5
for i in range(1000): x = 3.9 * x * (1 - x)
print(x, sum(1 / n for n in range(1, 5000)), float('1e400'), float.fromhex('0x1.8p3'), hash(0.5), hash(10**30), int(1e300) % 1000007)""",
    "hashlib, zlib, struct": r"""
import hashlib, zlib, struct, bz2, lzma, gzip, binascii, base64, array, hmac
b = open('binary', 'rb').read()
for n in ('md5', 'sha1', 'sha256', 'sha512', 'sha3_256', 'blake2b', 'blake2s'): print(n, hashlib.new(n, b).hexdigest())
for l in (1, 6, 9): c = zlib.compress(b, l); print(len(c), zlib.crc32(c), zlib.adler32(b), zlib.decompress(c) == b)
for m in (bz2, lzma): c = m.compress(b); print(len(c), m.decompress(c) == b)
print(gzip.decompress(gzip.compress(b, mtime=0)) == b, hmac.new(b'k', b, 'sha256').hexdigest(), hashlib.pbkdf2_hmac('sha256', b'p', b's', 500).hex(), hashlib.scrypt(b'p', salt=b's', n=16, r=1, p=1).hex())
print(struct.pack('<bBhHiIqQfd?4s', -1, 255, -2, 65535, -3, 2**32 - 1, -4, 2**64 - 1, 1.1, 2.2, True, b'abcd').hex(), struct.unpack('>dfe', struct.pack('>dfe', 1e300, 1e30, 1000.5)), struct.calcsize('@bqi'), binascii.crc_hqx(b, 0), base64.b85encode(b[:40]), array.array('d', [1.5, 2]).tobytes().hex(), memoryview(b)[::2][:10].tolist())""",
    "unicode and strings": r"""
import unicodedata, string, textwrap, difflib, locale
s = open('utf8', encoding='utf-8').read(); print(len(s), s[:60].upper(), s.casefold()[:40], s.encode('utf-16-le')[:20].hex(), [unicodedata.name(c) for c in 'é😀ß'], unicodedata.normalize('NFD', 'é').encode('unicode_escape'), 'ß'.upper(), 'ΑΣ'.lower(), 'İ'.lower().encode('utf-8'))
print('%5.1f|%-6s|%06d|%x|%r' % (3.14159, 'ab', 42, 255, 'q\n'), '{:>10}|{:^9,}|{:+.2e}|{!r:.3}'.format('r', 1234567, 0.00123, 'long'), f'{255:#b} {3.0:g} {"x":*^7} {1e10:,.2f} {0.5:%}')
print(textwrap.fill(s.split('\n')[0] * 3, 40)); print(list(difflib.unified_diff('a b c d'.split(), 'a x c d e'.split(), lineterm='')), difflib.get_close_matches('appel', ['ape', 'apple', 'peach']), 'a,b,,c'.split(','), ' x '.strip(), 'abc'.translate({97: 'z'}), 'x'.join('abc'), 'hello'.find('l'), 'aXbX'.rsplit('X', 1), b'\xff\xfe'.decode('latin-1'), ascii('日本'), 'z'.zfill(5), 'tab\t'.expandtabs(8), 'abc'.partition('b'), str.maketrans('a', 'b'), 'Hello World'.swapcase().title())
for enc in ('cp1252', 'koi8-r', 'shift_jis', 'gb18030', 'utf-7', 'punycode', 'idna'):
    try: print(enc, 'Grüße Привет 日本'.encode(enc, 'replace')[:30])
    except UnicodeError as e: print(enc, e)""",
    "objects": r"""
import dataclasses, enum, functools, itertools, contextlib, abc, copy, pickle, weakref, gc, types, collections, heapq, bisect, operator, typing
@dataclasses.dataclass(order=True, frozen=True)
class P: x: int; y: float = 0.5; t: tuple = ()
class Color(enum.Flag): RED = enum.auto(); GREEN = enum.auto()
print(P(1) < P(2), P(1, t=(2,)), dataclasses.asdict(P(3)), Color.RED | Color.GREEN, ~Color.RED, pickle.loads(pickle.dumps(P(9))), copy.deepcopy([[1], {2: 3}]))
@functools.lru_cache(None)
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
print(fib(200), fib.cache_info()); print(list(itertools.islice(itertools.permutations('abc'), 4)), list(itertools.accumulate(range(6), operator.mul, initial=1)), [list(g) for k, g in itertools.groupby('aabbc')], list(itertools.product('ab', repeat=2))[:3])
@contextlib.contextmanager
def cm():
    print('in')
    try: yield 5
    except ValueError as e: print('swallowed', e)
    finally: print('out')
with cm() as v: raise ValueError(v)
def gen():
    try:
        while True: r = yield len(r) if (r := (yield 'start')) else 0
    except GeneratorExit: print('closed')
g = gen(); print(next(g), g.send('abc')); g.close()
match {'k': [1, 2, 3], 'z': None}:
    case {'k': [a, *rest], **o}: print(a, rest, o)
class Meta(type):
    def __new__(m, n, b, d): d['tag'] = n.lower(); return super().__new__(m, n, b, d)
class A(metaclass=Meta):
    __slots__ = ('v',)
    def __getattr__(s, n): return n * 2
    def __matmul__(s, o): return 'mat'
print(A.tag, A().foo, A() @ 1, sorted([3, 1, 2], key=lambda x: -x)); h = [5, 1, 4]; heapq.heapify(h); print(heapq.heappop(h), bisect.bisect([1, 3, 5], 3), collections.deque(range(5), 3), collections.ChainMap({1: 2}, {1: 3})[1])
try:
    try: 1 / 0
    except ZeroDivisionError as e: raise KeyError('k') from e
except KeyError as e: print(repr(e.__cause__))
try: raise ExceptionGroup('g', [ValueError(1), TypeError(2)])
except* ValueError as e: print('group', e.exceptions)
except* TypeError as e: print('types', e.exceptions)
def deep(n): return 0 if n == 0 else 1 + deep(n - 1)
print(deep(900));
try: deep(10**6)
except RecursionError as e: print('recursion')
gc.collect(); w = weakref.ref(A) ; print(w() is A, sum(i * i for i in range(20000)), {i % 7 for i in range(100)}, {k: v for k, v in zip('ab', (1, 2))}, (lambda *a, k=1, **kw: (a, k, kw))(1, 2, k=3, z=4))""",
    "files and system": r"""
import os, sys, tempfile, shutil, io, csv, sqlite3, time, datetime, pathlib, glob, stat, signal, mmap, select, errno, socket, tarfile, zipfile, resource, platform, configparser, fcntl
rows = list(csv.DictReader(open('table.csv'))); print(len(rows), rows[7], sum(float(r['price']) for r in rows)); p = pathlib.Path('d/e'); p.mkdir(parents=True); (p / 'f').write_text('hello'); print(sorted(str(x) for x in pathlib.Path('.').rglob('*') if not x.name.startswith('.')), (p / 'f').stat().st_size, os.access('text', os.R_OK))
db = sqlite3.connect(':memory:'); db.execute('create table t(a,b)'); db.executemany('insert into t values(?,?)', [(i, str(i)) for i in range(500)]); print(db.execute('select count(*), sum(a), max(b) from t').fetchone())
with open('binary', 'r+b') as f, mmap.mmap(f.fileno(), 0) as m: m[0:4] = b'RISC'; print(m.find(b'RISC'), len(m), m[:8].hex())
r, w = os.pipe(); pid = os.fork()
if not pid: os.write(w, b'child'); os._exit(5)
os.close(w); print(os.read(r, 100), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])); hits = []; signal.signal(signal.SIGUSR1, lambda s, f: hits.append(s)); os.kill(os.getpid(), signal.SIGUSR1); print(hits); signal.signal(signal.SIGALRM, lambda s, f: hits.append('alarm')); signal.setitimer(signal.ITIMER_REAL, 0.02)
while len(hits) < 2: pass
print(hits); a, b = socket.socketpair(); a.send(b'ping'); print(b.recv(10), select.select([b], [a], [], 0)[1] == [a]); q = select.poll(); q.register(a, select.POLLOUT); print(q.poll(0)[0][1]); e = select.epoll(); e.register(a.fileno(), select.EPOLLOUT); print(e.poll(0)[0][1])
try: open('nowhere/x')
except OSError as x: print(x.errno == errno.ENOENT, x)
print(platform.machine(), sys.byteorder, sys.maxsize, struct_size := sys.getsizeof(0), datetime.datetime.fromtimestamp(1e9, datetime.UTC).isoformat(), datetime.date(2024, 2, 29) + datetime.timedelta(366), time.strftime('%Y-%m-%d', time.gmtime(0)), os.sep, os.getcwd() == os.path.realpath('.'), os.uname().machine, resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 0)
t = tarfile.open('x.tar', 'w'); t.add('numbers'); t.close(); print(tarfile.open('x.tar').getnames(), sorted(n.name for n in os.scandir('d'))); z = zipfile.ZipFile('x.zip', 'w', zipfile.ZIP_DEFLATED); z.write('text'); z.close(); print(zipfile.ZipFile('x.zip').testzip()); os.remove('x.tar'); os.remove('x.zip'); shutil.rmtree('d'); l = open('lock', 'w'); fcntl.flock(l, fcntl.LOCK_EX); print(os.environ.get('LC_ALL'), os.path.exists('/proc/self/exe'), os.listdir('/proc/self/fd') != [], flush=True); os.kill(os.getpid(), signal.SIGTERM)""",
    "asyncio and parsing": r"""
import asyncio, ast, dis, tokenize, io, html.parser, xml.etree.ElementTree as ET, urllib.parse, email, argparse, tomllib, shlex, ipaddress, uuid, calendar, logging, traceback, inspect
async def worker(n): await asyncio.sleep(0.001 * n); return n * n
async def main():
    q = asyncio.Queue(); await q.put(1); return await asyncio.gather(*(worker(i) for i in range(5))), await q.get()
print(asyncio.run(main())); print(ast.dump(ast.parse('x = [i**2 for i in y if i]'))[:200], ast.unparse(ast.parse('def f(a,*b,c=1):\n return a+c')), [t.string for t in tokenize.generate_tokens(io.StringIO('a+=b1 # c').readline)]); print(eval(compile('sum(range(10))', 's', 'eval')), len(list(dis.get_instructions(main))) > 3)
r = ET.fromstring('<a x="1"><b>t</b><b>u</b></a>'); print([e.text for e in r.iter('b')], ET.tostring(r)); print(urllib.parse.urlsplit('http://u@h:8/p;x?q=1#f'), urllib.parse.quote('a b/ü'), tomllib.loads('a = [1, 2.5]\n[t]\nd = 1979-05-27'), shlex.split("a 'b c' d\\ e"), list(ipaddress.ip_network('10.0.0.0/30').hosts()), uuid.uuid5(uuid.NAMESPACE_DNS, 'x'), calendar.monthrange(2024, 2))
p = argparse.ArgumentParser(prog='p'); p.add_argument('-n', type=int, default=3); p.add_argument('f', nargs='*'); print(p.parse_args(['-n', '7', 'a', 'b'])); m = email.message_from_string('Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n\nbody'); print(email.header.decode_header(m['subject']) if hasattr(email, 'header') else m['subject'], m.get_payload()); print(inspect.signature(worker), calendar.month(2024, 2))""",
}
for title, script in PYTHON.items():
    check("python3 " + title, ["python3.13", "-B", "-c", script])
check("python3 exit codes", ["python3.13", "-B", "-c", "import sys; sys.exit(3)"], ["python3.13", "-B", "-c", "raise SystemExit('message')"], ["python3.13", "-B", "-c", "1/0"], ["python3.13", "-B", "-c", "import os; os.abort()"],
      ["python3.13", "-B", "-c", "import ctypes; ctypes.string_at(8)"], ["python3.13", "-B", "-X", "faulthandler", "-c", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"], ["python3.13", "-B", "no-such-file.py"], ["python3.13", "-V"])
# Programs that start programs. (Under a qemu-user that binfmt_misc does not know, these start the
# host's own of the same name, which print the same.)
check("shell pipelines", ["bash", "-c", r"""
sort text | uniq -c | sort -rn -k1,1 -k2 | head -n 5; tr ' ' '\n' < text | sort | uniq -c | sort -k2 | awk '{print $2, $1}'
for f in text numbers utf8; do wc -c < $f; done; x=$(seq 1 100 | paste -sd+ | sed 's/+/ + /g'); echo $((x)); ls | grep -c .
find . -type f -name 't*' -exec basename {} \; | sort; cat text | tee copy | sha256sum; cmp text copy && echo same; rm copy
seq 1 20 | xargs -n 5 echo; printf '%s\n' b a c | sort | tr '\n' ' '; (cd /; pwd); env -i A=1 env | sort; false | true; echo ${PIPESTATUS[*]}; sh -c 'exit 7'; echo $?; sh -c 'kill -9 $$'; echo $?
cut -d, -f4 table.csv | tail -n +2 | sort | uniq -c | while read n c; do echo "$c:$n"; done; head -c 1000 binary | od -An -tx1 | head -n 3; timeout 5 sleep 0.01; echo $?; date -u -d @0 +%F; nonexistent-command 2>/dev/null; echo $?
"""])
check("many short processes", ["bash", "-c", "for i in $(seq 1 60); do expr $i '*' $i; test -f text && basename /a/$i; done | tail -n 4; i=0; while [ $i -lt 40 ]; do i=$(expr $i + 1); done; echo $i"])
check("xargs and find", ["bash", "-c", "mkdir -p d/{1..8}; for i in {1..8}; do echo $i > d/$i/f; done; find d -name f -print0 | sort -z | xargs -0 cat; find d -name f -exec sha256sum {} + | sort -k2 | head -n 3; find d -depth -type d | sort | tail -n 2; rm -r d"])
check("make runs commands", ["bash", "-c", "printf 'all: a.out b.out\\n%%.out: text\\n\\t@head -n 3 text | tr a-z A-Z > $@; echo made $@\\n' > Makefile; make -s; cat b.out; make -s; touch -d '2001-01-01' b.out; make -s"])
check("perl and python start programs", ["perl", "-e", r"""my @l = `sort -n numbers`; chomp @l; print "$l[0] $l[-1]\n"; system("sh", "-c", "exit 3"); print $? >> 8, "\n"; open P, "|-", "cat" or die; print P "through cat\n"; close P; open Q, "-|", "echo", "a  b"; print <Q>; exec "echo", "last";"""],
      ["python3.13", "-B", "-c", "import subprocess as s\nprint(s.run(['sort', '-n', 'numbers'], capture_output=True, text=True).stdout[:40]); p = s.Popen('tr a-z A-Z; exit 5', shell=True, stdin=-1, stdout=-1); print(p.communicate(b'shout'), p.returncode); print(s.check_output(['env'], env={'A': 'b'})); \ntry: s.run(['sleep', '5'], timeout=0.05)\nexcept s.TimeoutExpired: print('timeout')\nprint(s.run('kill -TERM $$', shell=True).returncode)"])
# Threads stand apart: they need clone with shared memory and futexes.
check("threads python3", ["python3.13", "-B", "-c", "import threading, queue, concurrent.futures as c\nq = queue.Queue(); l = threading.Lock(); n = 0\ndef w():\n    global n\n    for _ in range(2000):\n        with l: n += 1\n    q.put(1)\nt = [threading.Thread(target=w) for _ in range(4)]; [x.start() for x in t]; [x.join() for x in t]; print(n, q.qsize())\nwith c.ThreadPoolExecutor(3) as e: print(list(e.map(lambda x: x * x, range(10))))\nb = threading.Barrier(3); r = []\ndef f(i): b.wait(); r.append(i)\nt = [threading.Thread(target=f, args=(i,)) for i in range(3)]; [x.start() for x in t]; [x.join(5) for x in t]; print(sorted(r)); e = threading.Event(); threading.Timer(0.01, e.set).start(); print(e.wait(5))"])
check("threads xz", ["xz", "-T2", "--block-size=20000", "-k", "text", "binary"], ["xz", "-T2", "-d", "-c", "binary.xz"])
check("threads zstd", ["zstd", "-q", "-T2", "-B100000", "-k", "text", "binary"], ["zstd", "-q", "-d", "-c", "text.zst"])
check("threads 7zip", ["../lib/7zip/7z", "a", "-bso0", "-bsp0", "-mmt=2", "x.7z", "text", "binary"], ["../lib/7zip/7z", "x", "-so", "x.7z", "binary"], ["rm", "x.7z"])
check("threads sort", ["sort", "--parallel=2", "-S", "100K", "text"])

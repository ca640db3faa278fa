#!/usr/bin/env bash
# Compares stacks of real programs with libunwind's, allocation by allocation; fails on any difference.
#   run.sh LIBRARY TARGETS NAME...    (names: the cases below; a program that is not installed is passed over)
# Prints for each process what preload.cpp counts.
set -uo pipefail
library=$1
targets=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# compare NAME EVERY LEAST COMMAND...: one stack in EVERY, at least LEAST of them.
compare() {
    local name=$1 every=$2 least=$3
    shift 3
    if ! command -v "$1" > "$work/which"; then
        echo "$name: $1 is not installed"
        return
    fi
    if ! UNWIND_TRUTH_EVERY=$every UNWIND_TRUTH_OUT=$work/$name.figures LD_PRELOAD=$library \
        "$@" < /dev/null > "$work/$name.out" 2> "$work/$name.err"; then
        echo "$name: exit code not 0"
        tail -5 "$work/$name.err"
        failures=$((failures + 1))
    fi
    cat "$work/$name.figures"
    if ! awk -v least="$least" '
        $1 == "compared" { total += $2; differing += $4; wrong += $16 }
        END { exit !(total >= least && differing == 0 && wrong == 0) }' "$work/$name.figures"; then
        echo "$name: stacks differ, or fewer than $least were compared"
        failures=$((failures + 1))
    fi
}

for name in "$@"; do
    case $name in
        python)
            compare python 1 20000 /usr/bin/python3 "$(dirname "$0")/busy.py" ;;
        sqlite)
            compare sqlite 1 5000 sqlite3 :memory: "create table t(a,b);
                with recursive c(x) as (select 1 union all select x+1 from c where x<3000)
                insert into t select x, hex(randomblob(20)) from c;
                create index i on t(b);
                select count(*) from t a join t b on a.a=b.a where a.b like '%A%'" ;;
        perl)
            # shellcheck disable=SC2016
            compare perl 1 20000 perl -e 'use Data::Dumper; my %h; for (1..1000) { $h{$_} = [$_, "x" x $_] }
                $_ = Dumper(\%h); s/1+/2/g; print length' ;;
        git)
            local_repository=$work/repository
            git init -q "$local_repository"
            for i in 1 2 3; do
                seq $((i * 100)) > "$local_repository/file"
                git -C "$local_repository" add file
                git -C "$local_repository" -c user.name=n -c user.email=e@example commit -qm "$i"
            done
            compare git 1 500 git -C "$local_repository" log --stat -p ;;
        compiler)
            compare compiler 50 10000 g++ -O1 -c "$(dirname "$0")/template_heavy.cpp" -o "$work/t.o" ;;
        sort)
            seq 50000 | sort -R > "$work/numbers"
            compare sort 1 50 sort -n "$work/numbers" ;;
        node)
            compare node 20 5000 node -e 'let a = []; for (let i = 0; i < 20000; i++) a.push({x: i, y: "s" + i});
                console.log(JSON.stringify(a).length); require("zlib").gzipSync(Buffer.alloc(1e6));' ;;
        redis)
            # shellcheck disable=SC2016
            compare redis 3 5000 sh -c 'redis-server --save "" --port 0 --unixsocket "$0/redis.sock" &
                unset LD_PRELOAD
                until redis-cli -s "$0/redis.sock" ping; do :; done
                redis-benchmark -s "$0/redis.sock" -n 1000 -q -t set,lpush,lrange,hset
                redis-cli -s "$0/redis.sock" shutdown nosave; wait' "$work" ;;
        make)
            compare make 1 300 make -f /dev/null -p --question -k -t --version ;;
        interrupted)
            UNWIND_TRUTH_SIGNALS=1 compare interrupted 1 20 sqlite3 :memory: "create table t(a,b);
                with recursive c(x) as (select 1 union all select x+1 from c where x<4000)
                insert into t select x, hex(randomblob(20)) from c;
                select count(*) from t a, t b where a.a+b.a<1000 and a.b<b.b" ;;
        hazards)
            compare hazards 1 1000 "$targets/unwind_hazards" ;;
        *)
            echo "no such case: $name"
            failures=$((failures + 1)) ;;
    esac
done
exit $((failures != 0))

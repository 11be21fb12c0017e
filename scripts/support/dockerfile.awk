# Prints a Dockerfile's instructions, one a line, each with the number of its stage before it: "1 RUN apt-get update && …".
# Comments are left out, continued lines are joined; what stands before the first FROM has the number 0.
/^[[:space:]]*#/ { next }
{
    line = $0
    isContinued = sub(/\\[[:space:]]*$/, "", line)
    sub(/^[[:space:]]+/, pending == "" ? "" : " ", line)
    pending = pending line
    if (isContinued) next
    if (pending ~ /[^[:space:]]/) {
        if (pending ~ /^FROM /) stage++
        gsub(/[[:space:]]+/, " ", pending)
        print stage + 0, pending
    }
    pending = ""
}

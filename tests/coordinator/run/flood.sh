#!/bin/sh
# A program that says more than anybody wants to hear, on both outputs.
head -c 9000000 /dev/zero | tr '\0' '[' &
head -c 9000000 /dev/zero | tr '\0' ']' >&2
wait

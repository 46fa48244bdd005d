#!/bin/sh
# Makes the passwords of the compose files' services that are not there yet, in .env beside them. Those that are there stay:
# a service keeps the one that it was first started with. Docker compose reads that file by itself, and the gateway takes
# its passwords from the same variables.
set -eu
cd "$(dirname "$0")"
umask 077
touch .env
chmod 600 .env
for service in STANDALONE__POSTGRES FEDERATED__POSTGRES FEDERATED__VALKEY; do
    grep -q "^MOSAIC_${service}__PASSWORD=." .env ||
        echo "MOSAIC_${service}__PASSWORD=$(od -An -v -N24 -tx1 /dev/urandom | tr -d ' \n')" >>.env
done

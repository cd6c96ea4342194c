#!/bin/sh
# A database per service and a role of the same name that owns it; nobody else but POSTGRES_USER may connect to it.
set -eu
for service in member content engagement feedback projection; do
  eval "password=\$POSTGRES_$(echo "$service" | tr a-z A-Z)_PASSWORD"
  psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d postgres <<END
create role guildhall_$service login password '$password';
create database guildhall_$service owner guildhall_$service;
revoke all on database guildhall_$service from public;
alter role "$POSTGRES_USER" in database guildhall_$service set role = 'guildhall_$service';
END
done
psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d postgres -c 'revoke all on database postgres, template1 from public'

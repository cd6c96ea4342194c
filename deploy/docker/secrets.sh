#!/bin/sh
# Write this installation's secrets to .env beside docker-compose.yml, which reads it; what is there already is kept.
set -eu
umask 077
file="$(dirname "$0")/../../.env"
touch "$file"
chmod 600 "$file"
grep -q "^POSTGRES_PASSWORD=" "$file" || first="GUILDHALL_MEMBER_SECRET GUILDHALL_CURSOR_SECRET"  # later, all would be others
for name in ${first:-} POSTGRES_PASSWORD KAFKA_CONTROLLER_PASSWORD KAFKA_ADMIN_PASSWORD KAFKA_OPERATOR_PASSWORD KAFKA_PARTNER_PASSWORD \
  KAFKA_MEMBER_PASSWORD KAFKA_CONTENT_PASSWORD KAFKA_ENGAGEMENT_PASSWORD KAFKA_FEEDBACK_PASSWORD KAFKA_PROJECTION_PASSWORD \
  POSTGRES_MEMBER_PASSWORD POSTGRES_CONTENT_PASSWORD POSTGRES_ENGAGEMENT_PASSWORD POSTGRES_FEEDBACK_PASSWORD \
  POSTGRES_PROJECTION_PASSWORD GUILDHALL_RECORD_SECRET GRAFANA_PASSWORD; do
  grep -q "^$name=" "$file" || echo "$name=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')" >> "$file"
done

#!/bin/sh
# One KRaft node that asks its clients who they are: users are made with its storage, rights by `guildhall topics --acls`.
set -eu
umask 077
login=org.apache.kafka.common.security
cat > /tmp/server.properties <<END
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@kafka:9093
controller.listener.names=CONTROLLER
listeners=CLIENTS://:9092,CONTROLLER://:9093
advertised.listeners=CLIENTS://kafka:9092
inter.broker.listener.name=CLIENTS
listener.security.protocol.map=CLIENTS:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT
listener.name.clients.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.clients.scram-sha-512.sasl.jaas.config=$login.scram.ScramLoginModule required username="guildhall-admin" password="$KAFKA_ADMIN_PASSWORD";
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
listener.name.controller.sasl.enabled.mechanisms=PLAIN
sasl.mechanism.controller.protocol=PLAIN
listener.name.controller.plain.sasl.jaas.config=$login.plain.PlainLoginModule required username="controller" password="$KAFKA_CONTROLLER_PASSWORD" user_controller="$KAFKA_CONTROLLER_PASSWORD";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:guildhall-admin;User:controller
allow.everyone.if.no.acl.found=false
log.dirs=/var/lib/kafka/data
auto.create.topics.enable=false
log.retention.ms=-1
log.retention.bytes=-1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
END
set --
for user in admin operator partner member content engagement feedback projection; do
  eval "password=\$KAFKA_$(echo "$user" | tr a-z A-Z)_PASSWORD"
  set -- "$@" --add-scram "SCRAM-SHA-512=[name=guildhall-$user,password=$password]"
done
/opt/kafka/bin/kafka-storage.sh format --ignore-formatted -t "$CLUSTER_ID" -c /tmp/server.properties "$@"
exec /opt/kafka/bin/kafka-server-start.sh /tmp/server.properties

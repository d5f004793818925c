"""The peer-to-peer side: the Dat wire, replication of feeds, discovery and the swarm."""

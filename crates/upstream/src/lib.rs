//! The far side: connect, pools, forward, balancers, sticky sessions, health.

//! What the agent child can see and touch.

//! Deliveries as others see them: the official libraries of Standard Webhooks verify the
//! signatures, the official SDK of CloudEvents parses the events.

#[cfg(test)]
mod cloud_event;
#[cfg(test)]
mod guide;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod signature;

"""socsim: a discrete-event simulator of heterogeneous mobile SoCs."""

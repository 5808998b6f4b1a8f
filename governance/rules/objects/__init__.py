"""High-level objects: what people mean (a gray release, a degradation), and the items of configuration that make runtimes do it."""

"""The edge: one entry that routes by host, path, method and header, to registered services or to fixed addresses, and obeys their rules."""

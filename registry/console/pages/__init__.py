"""The pages, one module for each in the list of pages. A page asks the API and fills a template; what it changes, it changes by the API."""

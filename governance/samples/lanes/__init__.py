"""The three services of the guide's chapter on lanes, with gray copies of two: which lane a request goes along, hop by hop."""

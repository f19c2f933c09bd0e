"""A model meets a data set: embeddings in memory, or a folder of shards."""

"""The lecture "CNN Architectures" (C. Xu, University of Sydney): its tables and claims, each computed now."""

"""Who is judged: profiles, install, onboarding, readiness, diagnosis."""

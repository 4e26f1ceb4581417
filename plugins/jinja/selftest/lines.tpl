{% for p in response.results %}
{{ loop.index }}: {{ p.size }} bytes{% if not p.extracted_from %}, a root{% endif %}

{% endfor %}
{{ response.errors|length }} errors, {{ '<' ~ 'ok'|upper }}>

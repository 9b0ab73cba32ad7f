// Shows the service's own description. Nothing is asked of another site.
SwaggerUIBundle({
  url: "./openapi.json",
  dom_id: "#interface",
  deepLinking: true,
  validatorUrl: null,
});

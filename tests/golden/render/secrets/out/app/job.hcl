env {
  DB = "<file:db json>"
  SMTP = "<file:smtp json>"
}

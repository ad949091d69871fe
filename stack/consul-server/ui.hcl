# https://consul.DOMAIN/ui
ui_config {
  enabled = true
}

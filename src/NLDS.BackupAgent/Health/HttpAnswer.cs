namespace NLDS.BackupAgent.Health;

/// <summary>Answers a request with text.</summary>
internal static class HttpAnswer
{
    public static Task WriteAsync(HttpContext http, string text, string contentType, int status = StatusCodes.Status200OK)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = contentType;
        http.Response.Headers.CacheControl = "no-store";
        return http.Response.WriteAsync(text, http.RequestAborted);
    }
}

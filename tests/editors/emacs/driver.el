;; Emacs as a test drives it: emacs -Q --batch -l driver.el SETUP FILE LINE ACTION
;; Loads the user's SETUP, opens FILE, asks for the code actions at LINE and takes ACTION; then
;; saves, undoes once and saves to FILE.undone.

(require 'cl-lib)
(let ((default-directory "/usr/share/emacs/site-lisp/elpa/"))
  (when (file-directory-p default-directory) ; where Debian has eglot for an Emacs without it
    (normal-top-level-add-subdirs-to-load-path)))
(require 'eglot)

(cl-destructuring-bind (setup file line action) command-line-args-left
  (setq command-line-args-left nil
        eglot-sync-connect 60
        eglot-connect-timeout 60
        eglot-autoshutdown t
        make-backup-files nil
        user-emacs-directory (file-name-directory (expand-file-name file))
        last-nonmenu-event ?a) ; a key, not the mouse: no pop-up menu
  (load (expand-file-name setup) nil t)
  (find-file file)
  (buffer-enable-undo)
  (apply #'eglot (eglot--guess-contact))
  (goto-char (point-min))
  (forward-line (1- (string-to-number line)))
  (back-to-indentation)
  (cl-letf (((symbol-function 'completing-read)
             (lambda (_prompt choices &rest _)
               (message "offered: %S" (mapcar #'car choices))
               (or (car (cl-find-if (lambda (each) (string-match-p action (car each))) choices))
                   (error "nobody offers %s" action)))))
    (call-interactively #'eglot-code-actions))
  (save-buffer)
  (undo-boundary)
  (undo)
  (write-region nil nil (concat file ".undone"))
  (set-buffer-modified-p nil)
  (eglot-shutdown (eglot-current-server)))
